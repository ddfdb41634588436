"""Quotas over several processes, on a real Valkey: each takes the part of the traffic that it sees."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
import redis.asyncio as redis

from gateway.admission import sharing
from gateway.admission.admission import Admission, Capacity, Ticket
from gateway.admission.limit import Bounds
from gateway.admission.sharing import QuotaSharing
from gateway.database.valkey import Valkey
from gateway.kernel.ids import new_id
from gateway.merchants.quota import Quota
from gateway.merchants.store import Merchant
from tests.support.rows import settings

pytestmark = pytest.mark.asyncio

DATABASE_URL: Final = "postgresql://nobody@/none"


class Process:
    """One gateway process, as far as quotas go."""

    def __init__(self, valkey: Valkey) -> None:
        self.admission = Admission(Capacity(Bounds(1, 1_000, 500, 0.1), 1_000, 10))
        self.sharing = QuotaSharing(valkey, self.admission)

    def ask(self, merchant: Merchant, times: int, now: float = 0.0) -> int:
        """Payments that are admitted and answered at once; how many were."""
        tickets = [self.admission.admit(merchant.id, merchant, now) for _ in range(times)]
        admitted = [ticket for ticket in tickets if isinstance(ticket, Ticket)]
        for ticket in admitted:
            ticket.close()
        return len(admitted)

    def part(self, merchant: Merchant) -> float:
        return self.admission.standings[merchant.id].fraction


@pytest_asyncio.fixture
async def processes(redis_url: str) -> AsyncIterator[list[Process]]:
    valkeys = [Valkey(settings(DATABASE_URL, redis_url)) for _ in range(3)]
    yield [Process(valkey) for valkey in valkeys]
    for valkey in valkeys:
        await valkey.aclose()


async def _exchange(processes: list[Process], times: int = 12) -> None:
    for _ in range(times):
        for process in processes:
            await process.sharing.exchange(0.0)


def merchant_of(name: str) -> Merchant:
    return Merchant(name, name, "Asia/Shanghai", quota=Quota(payments_per_s=100, payments_in_flight_max=10))


async def test_each_process_takes_the_part_of_the_traffic_that_it_sees(processes: list[Process]) -> None:
    merchant = merchant_of(new_id("mer"))
    for _ in range(12):
        for process, times in zip(processes, (8, 2, 0), strict=True):
            process.ask(merchant, times)
        await _exchange(processes[:2], 1)
    first, second = (process.part(merchant) for process in processes[:2])
    assert first + second == pytest.approx(1.0, abs=0.05)
    assert first == pytest.approx(0.05 + 0.9 * 0.8, abs=0.05)
    standing = processes[0].admission.standings[merchant.id]
    assert standing.bucket is not None
    assert standing.bucket.per_s == pytest.approx(100 * first)
    assert standing.in_flight_max == math.ceil(10 * first)


async def test_all_processes_together_admit_the_rate_once(processes: list[Process]) -> None:
    merchant = Merchant(new_id("mer"), "m", "Asia/Shanghai", quota=Quota(payments_per_s=100))
    for _ in range(12):  # until nothing is left of the first bursts, at an even traffic
        for process in processes:
            process.ask(merchant, 200)
        await _exchange(processes, 1)
    admitted = sum(process.ask(merchant, 200, now=10.0) for process in processes)
    assert 97 <= admitted <= 100


async def test_a_process_alone_has_the_whole_quota(processes: list[Process]) -> None:
    merchant = merchant_of(new_id("mer"))
    processes[0].ask(merchant, 5)
    await _exchange(processes[:1])
    assert processes[0].part(merchant) == pytest.approx(1.0)


async def test_a_merchant_without_a_quota_is_not_told_of(processes: list[Process], redis_url: str) -> None:
    merchant = Merchant(new_id("mer"), "m", "Asia/Shanghai")
    processes[0].ask(merchant, 5)
    await _exchange(processes[:1])
    async with redis.from_url(redis_url) as client:
        assert not await client.exists(f"quota:{{{merchant.id}}}")


async def test_without_valkey_each_process_goes_by_the_whole_quota() -> None:
    valkey = Valkey(settings(DATABASE_URL, "redis://127.0.0.1:1/0"))
    process, merchant = Process(valkey), merchant_of("m")
    process.ask(merchant, 5)
    process.admission.standings["m"].fraction = 0.3
    await process.sharing.exchange(0.0)
    assert process.part(merchant) == 1.0
    await valkey.aclose()


async def test_a_process_that_has_died_leaves_its_part_to_the_others(processes: list[Process], redis_url: str) -> None:
    merchant = merchant_of(new_id("mer"))
    for process in processes[:2]:
        process.ask(merchant, 5)
    await _exchange(processes[:2])
    assert processes[0].part(merchant) < 0.7
    async with redis.from_url(redis_url) as client:
        seen = await client.hgetall(f"quota:{{{merchant.id}}}")
        for name, entry in seen.items():
            await client.hset(f"quota:{{{merchant.id}}}", name, entry.split(b":")[0] + b":1")
    await _exchange(processes[:1], 1)
    assert processes[0].part(merchant) == pytest.approx(1.0)


async def test_whoever_is_near_its_limit_is_shared_before_whoever_is_busy(
    processes: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_MERCHANTS_MAX", 1)
    big, small = (
        Merchant(new_id("mer"), "m", "Asia/Shanghai", quota=Quota(payments_per_s=per_s)) for per_s in (100_000, 10)
    )
    for _ in range(12):
        for process in processes[:2]:
            process.ask(big, 50)
            process.ask(small, 5)
        await _exchange(processes[:2], 1)
    for process in processes[:2]:
        assert process.part(small) == pytest.approx(0.5, abs=0.05)
        assert process.part(big) == 1.0


async def test_a_part_of_old_does_not_stay_with_a_merchant_that_is_shared_no_more(
    processes: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = merchant_of(new_id("mer")), merchant_of(new_id("mer"))
    for process in processes[:2]:
        process.ask(first, 5)
    await _exchange(processes[:2], 3)
    assert processes[0].part(first) < 0.7
    monkeypatch.setattr(sharing, "_MERCHANTS_MAX", 1)
    processes[0].ask(second, 500)
    await _exchange(processes[:1], 1)
    assert processes[0].part(first) == 1.0
