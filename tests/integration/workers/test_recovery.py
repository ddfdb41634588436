"""Payments without an outcome are brought to one: queried, then confirmed or reversed, never charged again."""

from __future__ import annotations

import asyncio

import pytest

from gateway.kernel.failures import FailureCode
from gateway.payments.settle import AMOUNT_MISMATCH, NOT_REVERSIBLE, REFUNDED_ELSEWHERE
from gateway.payments.states import Event, Status
from routing.channels.base import ChannelRejected, ChannelUnknown, ChannelUnsent
from routing.channels.reports import RefundReport, RefundState, ReversalReport, ReversalState, TradeReport, TradeState
from tests.integration.workers.conftest import ACCOUNT_ID, House
from tests.support.fake_channel import NOT_FOUND, PENDING, REVERSED, SILENT, captured, refused
from tests.support.rows import intent

REFUSES_TO_REVERSE = ReversalReport(ReversalState.REFUSED)


async def test_an_unknown_outcome_is_asked_for_again_and_then_booked(house: House) -> None:
    row = await house.begin()
    house.channel.queries = [SILENT, captured()]
    waiting = await house.step(row)
    assert (waiting.status, await house.tasks(row)) == (Status.PROCESSING, ["resolve"])
    assert 4 < await house.due_in_s(row) <= 5

    payment = await house.step(row)
    assert (payment.status, payment.channel_trade_no) == (Status.SUCCEEDED, "4200001")
    assert await house.tasks(row) == []
    assert await house.events(row) == ["created", "captured"]
    assert await house.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}
    assert house.channel.asked == ["query", "query"]


@pytest.mark.parametrize(
    "error",
    [
        ChannelUnsent("no_connection"),
        ChannelUnknown("reset"),
        ChannelRejected("SIGNERROR", FailureCode.CHANNEL_MISCONFIGURED),
    ],
)
async def test_a_query_that_could_not_be_made_decides_nothing(house: House, error: Exception) -> None:
    row = await house.begin()
    house.channel.queries = [error]  # type: ignore[list-item]
    assert (await house.step(row)).status is Status.PROCESSING
    assert await house.tasks(row) == ["resolve"]


async def test_what_the_channel_refused_is_failed_with_its_code(house: House) -> None:
    row = await house.begin()
    house.channel.queries = [refused()]
    payment = await house.step(row)
    assert (payment.status, payment.failure, payment.failure_channel_code) == (
        Status.FAILED,
        FailureCode.INSUFFICIENT_FUNDS,
        "NOTENOUGH",
    )
    assert await house.tasks(row) == []
    assert await house.balances(row) == {}


async def test_a_customer_who_does_not_pay_in_time_is_reversed(house: House) -> None:
    row = await house.begin()
    house.channel.queries, house.channel.reversals = [PENDING], [SILENT, ReversalReport(ReversalState.REPEAT), REVERSED]
    assert (await house.step(row)).status is Status.PROCESSING
    await house.age(row, 61)
    assert (await house.step(row)).status is Status.PROCESSING
    assert (await house.step(row)).status is Status.PROCESSING
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.REVERSED, "succeeded")
    assert house.channel.asked == ["query", *["query", "reverse"] * 3]
    assert await house.events(row) == ["created", "reversed"]


async def test_a_payment_that_was_made_in_the_last_moment_is_kept(house: House) -> None:
    row = await house.begin()
    await house.age(row, 500)
    house.channel.queries = [captured()]
    assert (await house.step(row)).status is Status.SUCCEEDED
    assert "reverse" not in house.channel.asked


async def test_an_order_never_found_is_not_created_only_120_seconds_after_it_could_be_sent(house: House) -> None:
    row = await house.begin()
    house.channel.queries, house.channel.reversals = [NOT_FOUND], [ReversalReport(ReversalState.NOT_FOUND)]
    await house.age(row, 120)
    assert (await house.step(row)).status is Status.PROCESSING
    await house.age(row, 6)
    payment = await house.step(row)
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.NOT_CREATED)
    assert await house.tasks(row) == ["watch"]


async def test_an_order_that_only_the_reversal_does_not_find_stays_open(house: House) -> None:
    row = await house.begin()
    house.channel.queries, house.channel.reversals = [SILENT], [ReversalReport(ReversalState.NOT_FOUND)]
    await house.age(row, 1_000)
    assert (await house.step(row)).status is Status.PROCESSING
    assert await house.tasks(row) == ["resolve"]


async def test_another_amount_than_ours_is_left_to_a_person_and_to_nobody_else(house: House) -> None:
    row = await house.begin()
    house.channel.queries = [captured(2_598)]
    payment = await house.step(row)
    assert (payment.status, payment.review) == (Status.PROCESSING, AMOUNT_MISMATCH)
    assert await house.tasks(row) == []
    assert await house.balances(row) == {}


async def test_an_order_that_the_channel_neither_reverses_nor_calls_paid_is_left_to_a_person(house: House) -> None:
    row = await house.begin()
    house.channel.queries, house.channel.reversals = [PENDING], [REFUSES_TO_REVERSE]
    await house.age(row, 61)
    payment = await house.step(row)
    assert (payment.status, payment.review) == (Status.PROCESSING, NOT_REVERSIBLE)
    assert await house.tasks(row) == []


async def test_a_payment_whose_account_is_gone_waits_for_it(house: House) -> None:
    row = await house.begin(account_id="nobody")
    assert (await house.step(row)).status is Status.PROCESSING
    assert 29 < await house.due_in_s(row) <= 30
    assert house.channel.asked == []


async def test_a_cancelled_payment_that_was_captured_is_reversed_and_never_booked(house: House) -> None:
    row = await house.begin()
    assert await house.base.store.request_reversal(await house.payment(row))
    house.channel.queries, house.channel.reversals = [captured()], [REVERSED]
    assert (await house.step(row)).reversal == "pending"
    assert house.channel.asked == ["query"], "the channel takes no reversal before 15 s"
    await house.age(row, 15)
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.REVERSED, "succeeded")
    assert await house.events(row) == ["created", "reversed"]
    assert await house.balances(row) == {}


async def test_a_cancelled_payment_that_the_channel_will_not_reverse_is_booked_after_all(house: House) -> None:
    row = await house.begin()
    assert await house.base.store.request_reversal(await house.payment(row))
    await house.age(row, 16)
    house.channel.queries, house.channel.reversals = [captured()], [REFUSES_TO_REVERSE]
    assert (await house.step(row)).reversal == "failed"
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.SUCCEEDED, "failed")
    assert await house.tasks(row) == []


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (refused(), Status.FAILED),
        (TradeReport(TradeState.CLOSED), Status.REVERSED),
        (TradeReport(TradeState.REFUNDED), Status.REVERSED),
    ],
)
async def test_no_cancellation_stays_pending_once_its_payment_is_over(
    house: House, report: TradeReport, status: Status
) -> None:
    row = await house.begin()
    assert await house.base.store.request_reversal(await house.payment(row))
    house.channel.queries = [report]
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (status, "succeeded")
    assert await house.tasks(row) == []


async def test_a_capture_of_this_day_is_voided_and_booked_back_to_the_fen_though_the_fee_has_changed(
    house: House,
) -> None:
    row = await house.begin(Event.CAPTURED)
    await house.pool.execute("UPDATE channel_accounts SET fee_rate_millionths = 6000 WHERE id = $1", ACCOUNT_ID)
    await house.base.accounts.reload()
    try:
        assert await house.base.store.request_reversal(await house.payment(row))
        house.channel.voids = [RefundReport(RefundState.SUCCEEDED)]
        payment = await house.step(row)
    finally:
        await house.pool.execute("UPDATE channel_accounts SET fee_rate_millionths = 3800 WHERE id = $1", ACCOUNT_ID)
        await house.base.accounts.reload()
    assert (payment.status, payment.reversal) == (Status.REVERSED, "succeeded")
    assert await house.balances(row) == {}
    assert await house.events(row) == ["created", "captured", "reversed"]
    assert await house.tasks(row) == []


async def test_a_void_without_an_answer_is_asked_about_and_repeated_under_the_same_number(house: House) -> None:
    row = await house.begin(Event.CAPTURED)
    assert await house.base.store.request_reversal(await house.payment(row))
    house.channel.voids = [SILENT, RefundReport(RefundState.PENDING), RefundReport(RefundState.FAILED)]
    house.channel.refund_queries = [RefundReport(RefundState.NOT_FOUND), RefundReport(RefundState.SUCCEEDED)]
    await house.step(row)
    await house.step(row)
    assert (await house.step(row)).status is Status.REVERSED
    assert house.channel.asked == ["void", "query_refund", "void", "query_refund"]
    assert len({order for _, order in house.channel.calls}) == 1, "number, amount and time stay the same"


@pytest.mark.parametrize(
    "answer", [RefundReport(RefundState.FAILED), ChannelRejected("TRADE_STATE_ERROR", FailureCode.CHANNEL_REFUSED)]
)
async def test_a_void_that_is_refused_leaves_the_payment_as_it_was(
    house: House, answer: RefundReport | ChannelRejected
) -> None:
    row = await house.begin(Event.CAPTURED)
    assert await house.base.store.request_reversal(await house.payment(row))
    house.channel.voids = [answer]
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.SUCCEEDED, "failed")
    assert await house.tasks(row) == []
    assert await house.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}


async def test_a_capture_booked_while_the_channel_reversed_is_booked_back(house: House) -> None:
    """A process that slept between the channel's answer and its commit; the worker had reversed meanwhile."""
    row = await house.begin()
    stale = await house.payment(row)
    account = house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    assert (await house.base.charging.settle(stale, account, captured())).status is Status.SUCCEEDED
    after = await house.base.charging.commit_reversal(stale)
    assert after.status is Status.REVERSED
    assert await house.balances(row) == {}
    assert await house.events(row) == ["created", "captured", "reversed"]


async def test_a_refund_that_nobody_here_asked_for_waits_for_a_person(house: House) -> None:
    row = await house.begin()
    house.channel.queries = [TradeReport(TradeState.REFUNDED)]
    payment = await house.step(row)
    assert (payment.status, payment.review) == (Status.PROCESSING, REFUNDED_ELSEWHERE)
    assert await house.tasks(row) == []


async def test_a_booked_capture_that_the_channel_calls_closed_is_booked_back(house: House) -> None:
    row = await house.begin()
    stale = await house.payment(row)
    account = house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    await house.base.charging.settle(stale, account, captured())
    assert (await house.base.charging.settle(stale, account, TradeReport(TradeState.CLOSED))).status is Status.REVERSED
    assert await house.balances(row) == {}


async def test_a_capture_that_comes_after_the_reversal_is_watched_for(house: House) -> None:
    row = await house.begin()
    stale = await house.payment(row)
    account = house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    await house.base.charging.commit_reversal(stale)
    assert (await house.base.charging.settle(stale, account, captured())).status is Status.REVERSED
    assert await house.tasks(row) == ["watch"]
    assert await house.balances(row) == {}


async def test_a_worker_that_slept_past_its_lease_can_repeat_a_question_but_no_effect(house: House) -> None:
    row = await house.begin()
    house.channel.queries = [captured()]
    sleeping = await house.lease(row)
    await house.age(row, 31)
    awake = await house.lease(row)
    assert awake.lease_token > sleeping.lease_token
    await asyncio.gather(house.handle(awake), house.handle(sleeping))
    await house.handle(sleeping)
    assert await house.events(row) == ["created", "captured"]
    assert await house.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}


async def test_a_sleepers_verdict_takes_no_later_task_away(house: House) -> None:
    row = await house.begin()
    stale = await house.payment(row)
    account = house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    await house.base.charging.settle(stale, account, captured())
    assert await house.base.store.request_reversal(await house.payment(row))
    await house.base.store.mark_for_review(stale, NOT_REVERSIBLE)
    assert await house.tasks(row) == ["resolve"]
    assert (await house.payment(row)).review is None


async def test_a_task_whose_payment_is_decided_or_was_never_is_dropped(house: House) -> None:
    row = await house.begin(Event.DECLINED)
    never = intent("pay_never", row.merchant_id)
    for each in (row, never):
        await house.pool.execute(
            "INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)"
            " VALUES ($1, $2, 'resolve', now(), now())",
            each.payment_id,
            each.merchant_id,
        )
        await house.handle(await house.lease(each))
        assert await house.tasks(each) == []
    assert house.channel.asked == []
