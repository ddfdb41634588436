"""What keeps health alive in a process lives through every error, and ends with the process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.database.valkey import Valkey
from routing.channels.base import Wallet
from routing.health import probing, running, sharing
from routing.health.health import Health
from routing.health.standing import BreakerState
from routing.health.verdicts import Verdict
from routing.sale import Cell, Method
from tests.support.fake_channel import NOT_FOUND
from tests.support.routing import account
from tests.support.rows import settings
from tests.support.waiting import until

CELL = Cell("a", Wallet.WECHAT, Method.BARCODE)


class TroubledHealth(Health):
    """Its first ticks fail in ways that nobody has thought of."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Exception] = []
        self.ticks = 0

    def tick(self) -> None:
        if self.errors:
            raise self.errors.pop()
        self.ticks += 1
        super().tick()


class Book:
    """One account, whose channel answers every query: there is no such order."""

    def __init__(self) -> None:
        self.account = account(CELL.account_id)
        channel: Any = self.account.channel
        channel.queries = [NOT_FOUND]

    def get(self, account_id: str) -> Any:
        """The account."""
        return self.account if account_id == CELL.account_id else None


async def test_without_valkey_and_after_errors_an_outage_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "TICK_S", 0.01)
    monkeypatch.setattr(sharing, "INTERVAL_S", 0.01)
    monkeypatch.setattr(probing, "_LOOK_S", 0.01)
    health, valkey = TroubledHealth(), Valkey(settings("postgresql://nobody@/none"))
    health.errors = [ValueError(), RuntimeError(), KeyError("a")]
    for _ in range(20):
        health.begin(CELL).end(Verdict.FAULT)
    assert health.standing(CELL).state is BreakerState.OPEN
    before = {task.get_name() for task in asyncio.all_tasks()}
    async with running.keeping(health, valkey, Book()):
        await until(lambda: not health.errors and health.ticks > 3)
        await until(lambda: health.standing(CELL).state is BreakerState.HALF_OPEN)
        for _ in range(3):
            assert health.reserve_probe(CELL)
            health.begin(CELL).end(Verdict.OK)
        assert health.standing(CELL).state is BreakerState.CLOSED
    assert {task.get_name() for task in asyncio.all_tasks()} == before
    await valkey.aclose()
