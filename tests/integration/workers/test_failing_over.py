"""Payments that failed over and whose process died: the worker resolves the attempt that stands, and no other one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.database.failovers import FailoverResult, failover_batch
from gateway.database.intents import IntentRow
from gateway.database.outcomes import outcome_batch
from gateway.payments.numbers import attempt_order_no, give_back_no
from gateway.payments.states import Event, Status
from gateway.workers.tasks import Purpose
from routing.channels.base import ChannelOrder, RefundOrder
from routing.channels.reports import RefundReport, RefundState, ReversalReport, ReversalState
from tests.integration.workers.conftest import ACCOUNT_ID, OTHER_ACCOUNT_ID, House
from tests.support.fake_channel import NOT_FOUND, SILENT, captured
from tests.support.rows import failing_over, outcome

NEVER_WAS = ReversalReport(ReversalState.NOT_FOUND)


async def fail_over(house: House, row: IntentRow, **changes: Any) -> bool:
    """The process has gone on at the other account; whether it could."""
    [result] = await failover_batch(house.pool).flush([failing_over(row, account_id=OTHER_ACCOUNT_ID, **changes)])
    assert isinstance(result, FailoverResult)
    return result.applied


async def test_the_attempt_that_stands_is_asked_about_under_its_own_number_and_time(house: House) -> None:
    row = await house.begin()
    assert await fail_over(house, row)
    house.other.queries = [captured()]
    payment = await house.step(row)
    assert (payment.status, payment.account_id, payment.attempt_seq) == (Status.SUCCEEDED, OTHER_ACCOUNT_ID, 2)
    [(_, asked)] = house.other.calls
    assert isinstance(asked, ChannelOrder)
    assert (asked.order_no, asked.created_at) == (attempt_order_no(row.payment_id, 2), payment.attempt_at)
    assert house.channel.calls == [], "what was left is proven to hold no money"
    assert await house.attempt_states(row) == ["unsent", "captured"]


async def test_killed_before_the_next_attempt_was_sent_it_was_never_created(house: House) -> None:
    row = await house.begin()
    assert await fail_over(house, row)
    house.other.queries, house.other.reversals = [NOT_FOUND], [NEVER_WAS]
    await house.age(row, 200)
    payment = await house.step(row)
    assert (payment.status, payment.attempt_seq) == (Status.FAILED, 2)
    assert await house.attempt_states(row) == ["unsent", "not_created"]
    assert await house.tasks(row) == ["watch"]
    assert house.channel.calls == []


async def test_the_worker_leaves_the_payment_to_the_process_for_the_next_attempts_time(house: House) -> None:
    row = await house.begin()
    await house.pool.execute(
        "UPDATE recovery_tasks SET next_at = now(), tries = 5 WHERE payment_id = $1", row.payment_id
    )
    assert await fail_over(house, row, recover_after_s=15.0)
    assert 14 < await house.due_in_s(row) <= 15
    assert await house.pool.fetchval("SELECT tries FROM recovery_tasks WHERE payment_id = $1", row.payment_id) == 0


@pytest.mark.parametrize("expired", [False, True])
async def test_a_worker_that_is_at_the_attempt_before_does_nothing_to_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch, *, expired: bool
) -> None:
    """It has read the payment, and asks the first account, while the process fails over."""
    row = await house.begin()
    if expired:
        await house.age(row, 200)
        await house.pool.execute(
            "UPDATE payments SET expires_at = now() + interval '1 day' WHERE id = $1", row.payment_id
        )
    task, read = await house.lease(row), await house.payment(row)
    house.channel.queries, house.channel.reversals = [NOT_FOUND], [ReversalReport(ReversalState.REVERSED)]

    async def as_it_was(*_: object) -> Any:
        assert await fail_over(house, row)
        monkeypatch.undo()
        return read.with_(expires_at=read.created_at) if expired else read

    monkeypatch.setattr(type(house.base.store), "find", as_it_was)
    await house.handle(task)
    payment = await house.payment(row)
    assert (payment.status, payment.attempt_seq, payment.reversal) == (Status.PROCESSING, 2, None)
    assert "reverse" not in house.channel.asked
    assert await house.tasks(row) == ["resolve"]
    assert 14 < await house.due_in_s(row) <= 15, "the process has its time"
    house.other.queries = [captured()]
    assert (await house.step(row)).status is Status.SUCCEEDED


async def test_a_process_that_slept_until_a_worker_reversed_does_not_fail_over(house: House) -> None:
    row = await house.begin()
    house.channel.queries, house.channel.reversals = [NOT_FOUND], [SILENT]
    await house.age(row, 70)
    assert (await house.step(row)).reversal == "pending"
    assert not await fail_over(house, row)
    [late] = await outcome_batch(house.pool).flush([outcome(row, Event.UNSENT)])
    assert late.applied, "nothing has left: that settles it"  # type: ignore[union-attr]
    assert (await house.payment(row)).status is Status.FAILED


async def test_money_told_of_at_an_attempt_that_was_left_goes_back_through_its_own_account(house: House) -> None:
    row = await house.begin()
    payment = await house.payment(row)
    assert await fail_over(house, row)
    house.other.queries = [captured()]
    assert (await house.step(row)).status is Status.SUCCEEDED
    found = await house.settle(payment, captured(trade_no="late"))
    assert (found.status, found.attempt_seq) == (Status.SUCCEEDED, 2)
    house.channel.queries = [captured(trade_no="late")]
    await house.step(row, Purpose.WATCH)
    house.channel.refunds = [RefundReport(RefundState.SUCCEEDED)]
    shown = await house.step(row, Purpose.GIVE_BACK)
    assert [(late.account_id, late.status) for late in shown.late_captures] == [(ACCOUNT_ID, "refunded")]
    refund = next(call for name, call in house.channel.calls if name == "refund")
    assert isinstance(refund, RefundOrder)
    assert refund.refund_no == give_back_no(row.payment_id, 1)
    assert shown.status is Status.SUCCEEDED
    assert "refund" not in house.other.asked


async def test_an_attempt_that_was_left_is_not_waited_for_by_the_watch_of_another(house: House) -> None:
    """At first it is looked at, for somebody may have told of money there; then only what may still arrive is."""
    row = await house.begin()
    assert await fail_over(house, row)
    house.other.queries, house.other.reversals = [NOT_FOUND], [NEVER_WAS]
    house.channel.queries = [NOT_FOUND]
    await house.age(row, 200)
    await house.step(row)
    for _ in range(4):
        await house.step(row, Purpose.WATCH)
    assert house.channel.asked == ["query"]
    assert house.other.asked.count("query") == 1 + 4
