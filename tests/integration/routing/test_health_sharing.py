"""Processes share health through a real Valkey within a second; while it is dead or silent each goes on alone."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.database.valkey import Valkey
from routing.channels.base import Wallet
from routing.health import sharing
from routing.health.health import TICK_S, Health
from routing.health.sharing import HealthExchange
from routing.health.standing import BreakerState
from routing.health.verdicts import Verdict
from routing.sale import Cell, Method
from tests.support.proxy import Mode, Proxy
from tests.support.rows import settings
from tests.support.servers import TestServers, start_servers

DATABASE_URL: Final = "postgresql://nobody@/none"
WECHAT: Final = Cell("wechat_direct", Wallet.WECHAT, Method.BARCODE)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """Wait until it holds; how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, "it never came about"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


@asynccontextmanager
async def process(redis_url: str, name: str, *, timeout_s: float = 0.25) -> AsyncIterator[Health]:
    """A process's health, ticking and exchanging."""
    valkey = Valkey(settings(DATABASE_URL, redis_url, redis_timeout_s=timeout_s))
    health = Health()

    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            health.tick()

    tasks = [asyncio.create_task(tick()), asyncio.create_task(HealthExchange(valkey, health, name).run())]
    try:
        yield health
    finally:
        assert not any(task.done() for task in tasks), "the exchange goes on through any trouble"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await valkey.aclose()


def calls(health: Health, verdict: Verdict, times: int) -> None:
    for _ in range(times):
        health.begin(WECHAT).end(verdict)


def is_open(health: Health) -> bool:
    return health.standing(WECHAT).state is BreakerState.OPEN


async def test_an_outage_that_one_process_sees_is_known_to_the_other_within_a_second(redis_url: str) -> None:
    async with process(redis_url, "one") as one, process(redis_url, "two") as two:
        calls(one, Verdict.FAULT, 12)
        assert not is_open(two)
        assert await until(lambda: is_open(two)) < 1.0
        assert two.standing(WECHAT).success < 0.75


async def test_success_and_latency_are_of_all_processes(redis_url: str) -> None:
    async with process(redis_url, "one") as one, process(redis_url, "two") as two:
        calls(one, Verdict.OK, 100)
        two.begin(WECHAT).end(Verdict.FAULT)
        assert await until(lambda: two.standing(WECHAT).weight > 95) < 1.0
        assert two.standing(WECHAT).success > 0.97
        assert await until(lambda: one.standing(WECHAT).weight > 95) < 1.0
        await until(lambda: two.standing(WECHAT).p50_s < 1.0)
        await asyncio.sleep(3 * sharing.INTERVAL_S)
        assert two.standing(WECHAT).weight < 102, "what was heard is not told on, nor added up"


async def test_one_that_finds_the_account_well_again_tells_the_other(redis_url: str) -> None:
    async with process(redis_url, "one") as one, process(redis_url, "two") as two:
        calls(one, Verdict.FAULT, 12)
        await until(lambda: is_open(two))
        await asyncio.sleep(1.0)  # the breaker's own time
        one.alive(WECHAT.account_id)
        await until(lambda: one.standing(WECHAT).state is BreakerState.HALF_OPEN)
        calls(one, Verdict.OK, 3)
        assert one.standing(WECHAT).state is BreakerState.CLOSED
        assert await until(lambda: two.standing(WECHAT).state is BreakerState.CLOSED) < 1.0


async def test_a_process_that_died_is_forgotten(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LIFETIME_S", 0.8)
    async with process(redis_url, "two") as two:
        async with process(redis_url, "one") as one:
            calls(one, Verdict.OK, 50)
            await until(lambda: two.standing(WECHAT).weight > 45)
        await until(lambda: two.standing(WECHAT).weight == 0)


async def test_foreign_and_broken_notes_are_left_out(redis_url: str) -> None:
    stranger = Valkey(settings(DATABASE_URL, redis_url))
    for number, note in enumerate(
        [b"\xff\x00", b"[]", b'{"v": 99, "cells": 7}', b'{"v": 1, "cells": [[1], {}, null]}']
    ):
        await stranger.script("health_exchange", ["{health}:notes", "{health}:seen"], [f"s{number}", note, 5_000])
    async with process(redis_url, "one") as one, process(redis_url, "two") as two:
        calls(one, Verdict.OK, 50)
        assert await until(lambda: two.standing(WECHAT).weight > 45) < 1.0
    await stranger.aclose()


async def test_a_valkey_that_hangs_leaves_each_process_to_itself_until_it_is_back(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LIFETIME_S", 1.0)
    found = re.fullmatch(r"unix://([^?]+)(.*)", redis_url)
    assert found is not None
    through = f"unix://{tmp_path}/valkey.sock{found[2]}"
    async with (
        Proxy.before(Path(found[1]), tmp_path / "valkey.sock") as proxy,
        process(through, "one", timeout_s=0.1) as one,
        process(through, "two", timeout_s=0.1) as two,
    ):
        calls(one, Verdict.OK, 50)
        await until(lambda: two.standing(WECHAT).weight > 45)
        proxy.mode = Mode.FREEZE
        await until(lambda: two.standing(WECHAT).weight == 0)
        calls(two, Verdict.FAULT, 12)
        assert is_open(two)
        assert not is_open(one)
        proxy.thaw()
        await until(lambda: two.standing(WECHAT).weight > 45)


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[TestServers]:
    """A Valkey that the test may kill."""
    with start_servers(tmp_path) as running:
        yield running


async def test_a_valkey_that_dies_and_comes_back_empty_is_shared_through_again(own_servers: TestServers) -> None:
    async with process(own_servers.redis_url, "one") as one, process(own_servers.redis_url, "two") as two:
        calls(one, Verdict.OK, 50)
        await until(lambda: two.standing(WECHAT).weight > 45)
        await asyncio.to_thread(own_servers.valkey.stop)
        calls(one, Verdict.FAULT, 12)
        assert is_open(one)
        await asyncio.sleep(1.0)
        assert not is_open(two), "nobody told it"
        await asyncio.to_thread(own_servers.valkey.start)
        await until(lambda: is_open(two))
