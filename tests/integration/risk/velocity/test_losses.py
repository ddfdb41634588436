"""Valkey emptied, killed, hung, full, or without the script: what is told then, and that counting goes on after it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.database.valkey import ValkeyAway
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.valkey import Valkey as ValkeyServer
from risk.velocity.spec import Series
from tests.support.velocities import Counters, Opening, compiled, payment
from tests.support.waiting import eventually

ASKED = compiled(("count", "customer", "1h"), ("fraud_count", "customer", "1h"))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ValkeyServer]:
    """A durable Valkey of the test's own."""
    valkey = ValkeyServer(tmp_path / "valkey", socket_folder(private_folder(tmp_path)), tmp_path / "valkey.log")
    valkey.start()
    valkey.wait_ready()
    yield valkey
    valkey.stop()


@pytest.fixture
async def counters(server: ValkeyServer) -> AsyncIterator[Counters]:
    """Counters that wait for Valkey for 0.2 s."""
    opened = Counters.at(server.url(), ASKED, timeout_s=0.1)
    yield opened
    await opened.valkey.aclose()


async def test_a_script_that_the_server_forgot_is_sent_again_and_counts_once(opening: Opening) -> None:
    counters = opening(ASKED)
    facts = payment()
    await counters.count(facts)
    await counters.valkey.call("SCRIPT", "FLUSH")
    told = await asyncio.gather(*(counters.count(payment(1, customer=facts.customer)) for _ in range(20)))
    assert sorted(next(iter(each.values())) for each in told) == list(range(2, 22))
    await counters.valkey.call("SCRIPT", "FLUSH")
    assert await counters.tell(Series.FRAUDS, facts, "fraud", 1)
    assert list((await counters.count(payment(2, customer=facts.customer))).values()) == [22, 1]


async def test_counting_begins_anew_where_valkey_was_emptied(opening: Opening) -> None:
    counters = opening(ASKED)
    facts = payment()
    for number in range(5):
        await counters.count(payment(number, customer=facts.customer))
    await counters.valkey.call("FLUSHALL")
    assert list((await counters.count(payment(6, customer=facts.customer))).values()) == [1, 0]


async def test_a_server_that_was_killed_is_away_at_once_and_keeps_what_it_wrote(
    server: ValkeyServer, counters: Counters
) -> None:
    facts = payment()
    await counters.count(facts)
    server.child.stop(signal.SIGKILL, timeout_s=5)
    with pytest.raises(ValkeyAway):
        await counters.count(payment(1, customer=facts.customer))
    asked = counters.velocities.begin(ASKED, payment(2, customer=facts.customer))
    assert asked.done  # refused without a try, so that no payment waits
    with pytest.raises(ValkeyAway):
        await asked.features(0)
    assert not await counters.tell(Series.FRAUDS, facts, "fraud", 3)
    server.start()
    await asyncio.to_thread(server.wait_ready)

    async def is_back() -> bool:
        try:
            return next(iter((await counters.count(payment(4, customer=facts.customer))).values())) == 2
        except ValkeyAway:
            return False

    await eventually(is_back)
    assert await counters.tell(Series.FRAUDS, facts, "fraud", 5)
    assert list((await counters.count(facts)).values())[1] == 1


async def test_a_server_that_hangs_is_not_waited_for_beyond_the_deadline(
    server: ValkeyServer, counters: Counters
) -> None:
    facts = payment()
    await counters.count(facts)
    os.kill(server.child.pid, signal.SIGSTOP)
    try:
        asked = counters.velocities.begin(ASKED, payment(1, customer=facts.customer))
        with pytest.raises(TimeoutError):
            await asked.features(0.02)
        with pytest.raises(ValkeyAway):
            await asked.features(5)
    finally:
        os.kill(server.child.pid, signal.SIGCONT)

    async def is_back() -> bool:
        try:
            await counters.count(payment(2, customer=facts.customer))
        except ValkeyAway:
            return False
        return True

    await eventually(is_back)
    (counted, _) = (await counters.count(facts)).values()
    assert counted in {2, 3}  # whether the server took what it was sent while it hung, is its own affair


async def test_a_full_server_is_as_one_that_is_away(server: ValkeyServer, counters: Counters) -> None:
    facts = payment()
    await counters.count(facts)
    await counters.valkey.call("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(ValkeyAway):
        await counters.count(payment(1, customer=facts.customer))
    await counters.valkey.call("CONFIG", "SET", "maxmemory", "0")
    assert next(iter((await counters.count(payment(2, customer=facts.customer))).values())) == 2


async def test_a_value_that_is_not_ours_is_an_error_and_no_count(opening: Opening) -> None:
    counters = opening(ASKED)
    facts = payment()
    await counters.count(facts)
    (key,) = await counters.keys()
    await counters.valkey.call("SET", key, "not ours")
    with pytest.raises(ValkeyAway):
        await counters.count(payment(1, customer=facts.customer))


async def test_a_value_that_is_not_ours_takes_the_velocities_of_nobody_who_was_counted_with_it(
    opening: Opening,
) -> None:
    counters = opening(ASKED)
    strange, stranger, ours = payment(), payment(), payment()
    for facts, command in ((strange, "SET"), (stranger, "LPUSH")):
        before = set(await counters.keys())
        await counters.count(facts)
        (key,) = set(await counters.keys()) - before
        await counters.valkey.call("DEL", key)
        await counters.valkey.call(command, key, "not ours")
    await counters.count(ours)
    again = [payment(1, customer=facts.customer) for facts in (strange, ours, stranger, ours, ours)]
    told = await asyncio.gather(*map(counters.count, again), return_exceptions=True)
    assert [type(each) for each in told] == [ValkeyAway, dict, ValkeyAway, dict, dict]
    assert [next(iter(told[number].values())) for number in (1, 3, 4)] == [2, 3, 4]
