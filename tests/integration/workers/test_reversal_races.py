"""A reversal that the gateway itself begins at the expiry must not meet a capture that is just being booked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.database.intents import IntentRow
from gateway.payments.payment import Payment
from gateway.payments.settle import NOT_REVERSIBLE
from gateway.payments.states import Event, Status
from gateway.workers.tasks import Task
from routing.channels.base import CallLimits, ChannelOrder
from routing.channels.reports import RefundReport, RefundState, ReversalReport, ReversalState, TradeReport, TradeState
from tests.integration.workers.conftest import ACCOUNT_ID, House
from tests.support.fake_channel import PENDING, REVERSED, SILENT, captured

ACCEPTED = ReversalReport(ReversalState.ACCEPTED)
REFUSES_TO_REVERSE = ReversalReport(ReversalState.REFUSED)


def past_its_lease(task: Task) -> Task:
    """The same task in the hands of a worker that has slept."""
    return replace(task, send_before=task.send_before - 31)


async def settle_elsewhere(house: House, row: IntentRow, report: TradeReport) -> Payment:
    """Another process (a till that waits, a read with refresh) commits what it has just seen."""
    account = house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    return await house.base.charging.settle(await house.payment(row), account, report)


async def test_a_capture_booked_between_the_last_query_and_the_reversal_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await house.begin()
    await house.age(row, 61)
    house.channel.reversals = [REVERSED]

    async def the_pin_is_typed_just_now(_order: ChannelOrder, _limits: CallLimits) -> TradeReport:
        assert (await settle_elsewhere(house, row, captured())).status is Status.SUCCEEDED
        return PENDING

    monkeypatch.setattr(house.channel, "query", the_pin_is_typed_just_now)
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.SUCCEEDED, None)
    assert "reverse" not in house.channel.asked
    assert await house.tasks(row) == []


@pytest.mark.parametrize("answer", [ACCEPTED, SILENT], ids=["accepted", "no answer"])
async def test_a_capture_seen_after_a_reversal_was_sent_is_not_told_as_success(
    house: House, answer: ReversalReport | Exception
) -> None:
    """UnionPay takes a reversal in and carries it out later: until then its query still says paid."""
    row = await house.begin()
    await house.age(row, 61)
    house.channel.queries = [PENDING, captured(), TradeReport(TradeState.CLOSED)]
    house.channel.reversals = [answer]  # type: ignore[list-item]
    await house.step(row)
    assert (await settle_elsewhere(house, row, captured())).status is Status.PROCESSING
    assert (await house.step(row)).status is Status.PROCESSING
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.REVERSED, "succeeded")
    assert await house.events(row) == ["created", "reversed"]
    assert await house.balances(row) == {}


async def test_a_capture_that_the_channel_will_not_reverse_at_the_expiry_is_booked(house: House) -> None:
    row = await house.begin()
    await house.age(row, 61)
    house.channel.queries = [PENDING, captured()]
    house.channel.reversals = [SILENT, REFUSES_TO_REVERSE]
    await house.step(row)
    await house.step(row)
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.SUCCEEDED, "failed")
    assert await house.tasks(row) == []


async def test_a_payment_left_to_a_person_shows_no_pending_reversal(house: House) -> None:
    row = await house.begin()
    await house.age(row, 61)
    house.channel.queries, house.channel.reversals = [PENDING], [REFUSES_TO_REVERSE]
    payment = await house.step(row)
    assert (payment.review, payment.reversal) == (NOT_REVERSIBLE, "failed")


async def test_a_worker_that_slept_past_its_lease_sends_no_reversal(house: House) -> None:
    row = await house.begin()
    await house.age(row, 61)
    house.channel.queries, house.channel.reversals = [PENDING], [REVERSED]
    task = await house.lease(row)
    await house.handle(past_its_lease(task))
    assert (await house.payment(row)).status is Status.PROCESSING


async def test_a_worker_that_slept_past_its_lease_sends_no_void(house: House) -> None:
    row = await house.begin(Event.CAPTURED)
    assert await house.base.store.request_reversal(await house.payment(row))
    house.channel.voids = [RefundReport(RefundState.SUCCEEDED)]
    task = await house.lease(row)
    await house.handle(past_its_lease(task))
    assert (await house.payment(row)).status is Status.SUCCEEDED


async def test_a_worker_that_slept_takes_no_task_away_that_was_made_anew(house: House) -> None:
    """Both tasks are in their first lease: their numbers are the same."""
    row = await house.begin()
    house.channel.queries = [captured()]
    asleep = await house.lease(row)
    assert (await settle_elsewhere(house, row, captured())).status is Status.SUCCEEDED
    assert await house.base.store.request_reversal(await house.payment(row))
    assert (await house.lease(row)).lease_token == asleep.lease_token
    await house.queue.finish(asleep)
    await house.queue.put_off(asleep, 3_600)
    assert await house.tasks(row) == ["resolve"]
    assert await house.due_in_s(row) < 1


async def test_a_till_that_stops_waiting_does_not_put_its_own_cancel_off(house: House) -> None:
    row = await house.begin()
    assert await house.base.store.request_reversal(await house.payment(row))
    await house.base.store.hand_over(row.payment_id, 120.0, 3)
    assert await house.due_in_s(row) <= 0


@pytest.mark.parametrize("state", [TradeState.CLOSED, TradeState.REFUNDED])
async def test_a_till_that_polls_sees_its_cancelled_payment_reversed_and_nothing_else(
    house: House, state: TradeState
) -> None:
    """The polling flow read the payment before the cancel."""
    row = await house.begin()
    stale, account = await house.payment(row), house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    assert await house.base.store.request_reversal(stale)
    payment = await house.base.charging.settle(stale, account, TradeReport(state))
    assert (payment.status, payment.reversal, payment.review) == (Status.REVERSED, "succeeded", None)
