"""The worker's loops: how fast they go through what is due, and how seldom they take the locks that payments need."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

import asyncpg
import pytest

from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.kernel.ids import new_id
from gateway.payments.states import Event, Status
from gateway.workers import housekeeping
from gateway.workers.main import Worker
from routing.channels.reports import TradeReport
from tests.integration.workers.conftest import ACCOUNT_ID, House
from tests.support.fake_channel import SILENT, FakeChannel, captured
from tests.support.rows import intent, outcome

_DUE = 400
OTHER_ACCOUNT_ID = "alipay_direct"


async def test_all_that_an_outage_left_is_gone_through_as_fast_as_the_channel_answers(house: House) -> None:
    """64 hands that looked for work twice a second would settle 128 payments a second, and no more."""
    rows = [intent(new_id("pay"), "mer_outage", recover_after_s=-1.0) for _ in range(_DUE)]
    await intent_batch(house.pool).flush(rows)
    house.channel.queries = [captured()]
    stop, began = asyncio.Event(), time.monotonic()
    working = asyncio.create_task(Worker(house.base).work_until(stop))
    open_tasks = "SELECT count(*) FROM recovery_tasks WHERE merchant_id = 'mer_outage'"
    while await house.pool.fetchval(open_tasks):
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.02)
    took = time.monotonic() - began
    stop.set()
    await working
    assert took < _DUE / 128, f"{took:.1f} s"


async def test_a_partition_that_cannot_have_its_lock_is_not_tried_again_every_second(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    async def in_the_way(*_: object) -> list[str]:
        tried.append(time.monotonic())
        raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")

    monkeypatch.setattr(housekeeping, "ensure_partitions", in_the_way)
    monkeypatch.setattr(housekeeping, "_GAUGES_S", 0.01)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await housekeeping.keep_house(house.base)
    assert len(tried) == 1


async def booked(house: House, row: IntentRow) -> None:
    """Return once the payment has succeeded."""
    while (await house.payment(row)).status is not Status.SUCCEEDED:  # noqa: ASYNC110  another task's database work
        await asyncio.sleep(0.05)


async def test_a_channel_that_does_not_answer_keeps_no_other_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queries hold every hand for their whole timeout, and its payments are due first."""
    silent = [intent(new_id("pay"), "mer_silent", recover_after_s=-5.0) for _ in range(200)]
    healthy = intent(new_id("pay"), "mer_healthy", account_id=OTHER_ACCOUNT_ID, recover_after_s=-1.0)
    await intent_batch(house.pool).flush([*silent, healthy])
    others = FakeChannel(queries=[captured()])
    account = house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    accounts = {ACCOUNT_ID: account, OTHER_ACCOUNT_ID: replace(account, id=OTHER_ACCOUNT_ID, channel=others)}
    monkeypatch.setattr(house.base.accounts, "_accounts", accounts)

    async def silence(*_: object) -> TradeReport:
        await asyncio.sleep(2.5)
        raise SILENT

    monkeypatch.setattr(house.channel, "query", silence)
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(house.base).work_until(stop))
    try:
        async with asyncio.timeout(6):
            await booked(house, healthy)
    finally:
        stop.set()
        await working
    deferred = await house.pool.fetchval(
        "SELECT count(*) FROM recovery_tasks WHERE merchant_id = 'mer_silent' AND tries = 0 AND next_at > now()"
    )
    assert deferred, "a look that was not taken does not count"


async def test_orders_that_are_over_at_a_channel_that_does_not_answer_keep_no_payment_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are many after an hour of codes, and an outage makes all of them due."""
    over = [intent(new_id("pay"), "mer_over") for _ in range(300)]
    await intent_batch(house.pool).flush(over)
    await outcome_batch(house.pool).flush([outcome(row, Event.NOT_CREATED) for row in over])
    await house.pool.execute(
        "UPDATE recovery_tasks SET next_at = now() - interval '5 s' WHERE merchant_id = 'mer_over'"
    )
    healthy = intent(new_id("pay"), "mer_healthy", account_id=OTHER_ACCOUNT_ID, recover_after_s=-1.0)
    await intent_batch(house.pool).flush([healthy])
    house.other.queries = [captured()]

    async def silence(*_: object) -> TradeReport:
        await asyncio.sleep(2.5)
        raise SILENT

    monkeypatch.setattr(house.channel, "query", silence)
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(house.base).work_until(stop))
    try:
        async with asyncio.timeout(6):
            await booked(house, healthy)
    finally:
        stop.set()
        await working
