"""The worker's loop over the inbox: it outlives every error, and one bad callback stops no other."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from gateway.callbacks.callback import Callback
from gateway.payments.states import Status
from gateway.workers.callbacks import CallbackSweep
from tests.integration.callbacks.conftest import Room, told
from tests.support.waiting import eventually


async def test_the_loop_lives_through_errors_that_nobody_has_thought_of(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, row = CallbackSweep(room.base), await room.begin()
    await room.inbox.take_in(Callback.of("wechat_direct", told(row)), {}, b"", worker_after_s=0)
    errors: list[Exception] = [OSError(), asyncpg.InternalClientError("busy"), ValueError(), ZeroDivisionError()]
    lease = sweep._inbox.lease

    async def failing(*arguments: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return await lease(*arguments)

    monkeypatch.setattr(sweep._inbox, "lease", failing)
    running = asyncio.create_task(sweep.run())

    async def applied() -> bool:
        return await room.result(row.payment_id) == "applied"

    await eventually(applied)
    assert not running.done()
    running.cancel()


async def test_a_callback_that_cannot_be_applied_is_put_off_and_stops_no_other(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, rows = CallbackSweep(room.base), [await room.begin() for _ in range(3)]
    for row in rows:
        await room.inbox.take_in(Callback.of("wechat_direct", told(row)), {}, b"", worker_after_s=0)
    handle = sweep._applying.handle

    async def failing(callback: Callback, **facts: Any) -> None:
        if callback.payment_id == rows[0].payment_id:
            raise ZeroDivisionError
        await handle(callback, **facts)

    monkeypatch.setattr(sweep._applying, "handle", failing)
    assert await sweep.sweep() == 3
    assert await sweep.sweep() == 0
    assert [(await room.payment(row)).status for row in rows] == [
        Status.PROCESSING,
        Status.SUCCEEDED,
        Status.SUCCEEDED,
    ]
    [kept] = await room.rows(rows[0].payment_id)
    assert kept["next_at"] - await room.pool.fetchval("SELECT now()") < (await _lease(room))


async def _lease(room: Room) -> Any:
    return await room.pool.fetchval("SELECT make_interval(secs => $1)", room.base.settings.recovery_lease_s)


async def test_the_loop_drops_old_messages(room: Room) -> None:
    row = await room.begin()
    await room.tell(told(row))
    await room.age(row.payment_id, 91 * 86_400)
    running = asyncio.create_task(CallbackSweep(room.base).run())

    async def dropped() -> bool:
        return (await room.rows(row.payment_id))[0]["body_sealed"] is None

    await eventually(dropped)
    running.cancel()
