"""Gateways, workers and Valkey killed at random under payments with discounts; `make soak` goes on for long.

SOAK_SEED replays a schedule, SOAK_MINUTES goes on for so long instead of a dozen kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import httpx
import orjson
import pytest
import redis

from gateway.kernel.ids import new_ulid
from promotions.budget.reconciling import LIVES_GENERATIONS
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_command
from tests.support.book import ClientBook, PatientTill
from tests.support.campaign_lives import CAMPAIGNS
from tests.support.discounts import OFF_FEN, PoolView, money_of
from tests.support.gateway import GatewayStack, kill
from tests.support.manager import Manager
from tests.support.servers import TestServers, start_servers
from tests.support.till import FINAL, WALLETS, new_order

SOAK_MINUTES: Final = float(os.environ.get("SOAK_MINUTES", "0"))
SEED: Final = int(os.environ.get("SOAK_SEED") or secrets.randbelow(2**32))
KILLS: Final = 10
TILLS: Final = 12
MAGIC: Final = (None,) * 12 + ("9001", "9006", "9008", "9009", "9012", "9013")
"""Every third payment meets a fault of its channel or is declined."""
BUDGET_FEN: Final = 40 * OFF_FEN + 123
TOP_UP_FEN: Final = 9 * OFF_FEN + 77
CUSTOMERS: Final = 25
_OF_VALKEY: Final = 0.25
"""So many of the strikes are at Valkey."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(120 + 2 * 60 * SOAK_MINUTES),
]


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServers]:
    """Durable servers, of which this module kills Valkey."""
    with start_servers(tmp_path_factory.mktemp("own-servers"), durable=True) as servers:
        servers.migrate_template()
        yield servers


@pytest.fixture(scope="module")
def database_url(own_servers: TestServers) -> str:
    """A database on them."""
    return own_servers.clone_database()


@pytest.fixture(scope="module")
def redis_url(own_servers: TestServers) -> str:
    """The same of Valkey."""
    return own_servers.empty_redis()


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes and two workers."""
    return {"gateways": 2, "workers": 2, "settings": FAULT_SETTINGS}


@dataclass(slots=True)
class Fair:
    """Two campaigns: a small budget that is topped up now and then, and one discount for each customer."""

    scarce: str
    shared: str
    topped_up_fen: int = 0

    @classmethod
    async def open(cls, manager: Manager) -> Fair:
        """In force at both gateways."""
        limits = {"budget": BUDGET_FEN, "count": 1_000_000}
        scarce = await manager.start(condition="payment.wallet != 'alipay'", limits=limits, slices=3)
        shared = await manager.start(
            condition="payment.wallet == 'alipay'", limits={"budget": 10_000_000, "per_customer": {"lifetime": 1}}
        )
        return cls(scarce, shared)

    def customer(self, rng: random.Random) -> dict[str, Any]:
        """One of those who come again."""
        return {"id": f"{self.shared}-{rng.randrange(CUSTOMERS)}"}

    async def top_up(self, stack: GatewayStack) -> None:
        """Asked of one gateway after the other until one has answered; it counts once."""
        headers = {"Idempotency-Key": new_ulid()}
        for gateway in range(100):
            async with stack.admin(gateway=gateway % 2) as admin:
                try:
                    url = f"{CAMPAIGNS}/{self.scarce}/top_up"
                    answer = await admin.post(url, json={"amount": TOP_UP_FEN}, headers=headers)
                except httpx.TransportError:
                    continue
            if answer.status_code == 200:
                self.topped_up_fen += TOP_UP_FEN
                return
            assert answer.status_code == 503, answer.text
        raise TimeoutError("nobody answers")


async def test_every_payment_ends_exactly_once_whoever_is_killed_whenever(
    stack: GatewayStack, till: PatientTill, own_servers: TestServers, book: ClientBook
) -> None:
    _say(f"\nseed {SEED}: replay with SOAK_SEED={SEED}")
    rng = random.Random(SEED)
    _set_channels_rough(stack, rng)
    async with PoolView.opened(stack.database_url, stack.redis_url) as pool, stack.admin() as client:
        manager = Manager(stack, client)
        fair = await Fair.open(manager)
        over = asyncio.Event()
        ringing = [
            asyncio.create_task(_ring_up_until(over, till, fair, random.Random(rng.getrandbits(64))))
            for _ in range(TILLS)
        ]
        try:
            kills = await _kill_at_random(stack, own_servers, fair, rng, _until_enough())
        finally:
            over.set()
        payments = [payment for paid in await asyncio.gather(*ringing) for payment in paid]
        assert len(payments) > kills
        assert len({payment["merchant_order_no"] for payment in payments}) == len(payments)
        stack.simulators.clear_faults()
        payments += await _ask_for_the_rest(till, fair, pool)
        await _is_exact(manager, fair, payments)
        await _are_what_is_durable(pool.database, payments)

    report = await audit_command(stack.database_url, stack.simulators, book)
    assert report["payments"]["count"] == len(payments)
    assert set(report["payments"]["by_status"]) <= FINAL
    compared = {check["name"]: check["compared"] for check in report["checks"]}
    for name in ("I4.discount", "I4.slices", "I4.budget", "I4.uses", "I4.limits", "I4.customer", "I9.funding"):
        assert compared[name] > 0, compared
    told = {name: report[name] for name in ("agrees", "payments", "simulators", "client_log", "mismatches_total")}
    _say(f"seed {SEED}: {kills} kills; the tills were told {dict(till.told)}\n{orjson.dumps(told).decode()}")


def _set_channels_rough(stack: GatewayStack, rng: random.Random) -> None:
    for wallet in WALLETS:
        stack.simulators.set_faults(
            wallet,
            {"kind": "timeout_after_charging", "hold_s": 2, "probability": 0.01},
            {"kind": "outage", "probability": 0.01},
            latency_ms={"min": 1, "max": 60},
            seed=rng.getrandbits(32),
        )


async def _are_what_is_durable(database: asyncpg.Connection, payments: Sequence[dict[str, Any]]) -> None:
    """Each told payment is there once, and stands where its till was told; there is no other."""
    assert len({payment["id"] for payment in payments}) == len(payments)
    rows = await database.fetch("SELECT id, status FROM payments")
    assert {row["id"]: row["status"] for row in rows} == {payment["id"]: payment["status"] for payment in payments}


async def _ask_for_the_rest(till: PatientTill, fair: Fair, pool: PoolView) -> list[dict[str, Any]]:
    """What dead processes had reserved expires; then the budget is spent, and each customer comes once more."""
    await pool.hasten(LIVES_GENERATIONS + 1)
    await pool.until_right(fair.scarce, timeout_s=30)
    payments = [await till.ring_up(new_order("unionpay"))]
    while payments[-1]["discount"]:
        payments.append(await till.ring_up(new_order("unionpay"), gateway=len(payments)))
    customers = [{"id": f"{fair.shared}-{number}"} for number in range(CUSTOMERS)]
    asked = [till.ring_up(new_order("alipay", customer=customer)) for customer in customers]
    return payments + list(await asyncio.gather(*asked))


async def _is_exact(manager: Manager, fair: Fair, payments: Sequence[dict[str, Any]]) -> None:
    """The budget is spent to its last discount, and each customer has had one."""
    given = dict.fromkeys((fair.scarce, fair.shared), 0)
    for payment in payments:
        if payment["status"] == "succeeded":
            for promotion in payment["promotions"]:
                given[promotion["campaign_id"]] += promotion["discount"]
    scarce = await money_of(manager, fair.scarce)
    assert (scarce.total, scarce.spent, scarce.held) == (BUDGET_FEN + fair.topped_up_fen, given[fair.scarce], 0)
    assert scarce.left < OFF_FEN
    shared = await money_of(manager, fair.shared)
    assert (shared.spent, shared.held) == (given[fair.shared], 0) == (CUSTOMERS * OFF_FEN, 0)
    _say(f"{scarce.spent // OFF_FEN} discounts of {scarce.total} fen, and one for each of {CUSTOMERS} customers")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _until_enough() -> Callable[[int], bool]:
    """Whether so many kills are enough."""
    if not SOAK_MINUTES:
        return lambda kills: kills >= KILLS
    end = time.monotonic() + 60 * SOAK_MINUTES
    return lambda kills: kills >= KILLS and time.monotonic() > end


async def _kill_at_random(
    stack: GatewayStack, servers: TestServers, fair: Fair, rng: random.Random, enough: Callable[[int], bool]
) -> int:
    """Kill and start again; one gateway is left alive at any time, as in any set-up that cares."""
    victims: Counter[str] = Counter()
    while not enough(victims.total()):
        await asyncio.sleep(rng.uniform(0.05, 0.8))
        if rng.random() < _OF_VALKEY:
            victims[await _strike_valkey(stack, servers, rng)] += 1
            await fair.top_up(stack)
            continue
        child = rng.choice([*stack.gateways, *stack.gateways, *stack.workers])
        kill(child)
        victims[child.command.name] += 1
        await asyncio.sleep(rng.uniform(0, 0.3))
        child.start()
        if child in stack.gateways:
            await asyncio.to_thread(stack.wait_ready, child)
    _say(f"killed: {dict(victims)}")
    return victims.total()


async def _strike_valkey(stack: GatewayStack, servers: TestServers, rng: random.Random) -> str:
    """Kill it, or take all that it has."""
    if rng.random() < 0.5:
        with redis.Redis.from_url(stack.redis_url, socket_timeout=5) as client:
            await asyncio.to_thread(client.flushall)
        return "Valkey emptied"
    kill(servers.valkey.child)
    await asyncio.sleep(rng.uniform(0, 1.5))
    servers.valkey.start()
    await asyncio.to_thread(servers.valkey.wait_ready)
    return "Valkey"


async def _ring_up_until(
    over: asyncio.Event, till: PatientTill, fair: Fair, rng: random.Random
) -> list[dict[str, Any]]:
    """One till: a sale after another, each repeated until it has its end."""
    payments = []
    while not over.is_set():
        amount = rng.randint(1, 99_999)
        order = new_order(rng.choice(WALLETS), rng.choice(MAGIC), amount=amount, expires_in=30)
        order["customer"] = fair.customer(rng)
        payments.append(await till.ring_up(order, gateway=rng.randrange(2), wait_s=1, cancel_after_s=3))
        await asyncio.sleep(rng.uniform(0, 0.2))
    return payments
