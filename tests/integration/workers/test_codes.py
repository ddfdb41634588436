"""Codes on display come to their end: paid, shut at the channel, or past the channel's own time limit."""

from __future__ import annotations

import asyncio

import pytest

from gateway.kernel.failures import FailureCode
from gateway.payments.numbers import give_back_no
from gateway.payments.settle import AMOUNT_MISMATCH, REFUNDED_ELSEWHERE
from gateway.payments.states import Status
from gateway.workers.tasks import Purpose
from routing.channels.base import CallLimits, ChannelOrder, ChannelRejected, RefundOrder
from routing.channels.reports import CloseReport, CloseState, RefundReport, RefundState, TradeReport, TradeState
from tests.integration.workers.conftest import House
from tests.support.fake_channel import NOT_FOUND, PENDING, SILENT, captured, refused, shut

SHUT = shut(CloseState.CLOSED)
TRADE_SHUT = TradeReport(TradeState.CLOSED)
RETURNED = RefundReport(RefundState.SUCCEEDED)
NO_SUCH_REFUND = RefundReport(RefundState.NOT_FOUND)
RESOLVE, WATCH = Purpose.RESOLVE, Purpose.WATCH


async def test_a_code_on_display_is_asked_about_in_the_channels_rhythm_until_it_is_paid(house: House) -> None:
    row = await house.show()
    assert 4 < await house.due_in_s(row) <= 5
    house.channel.queries = [NOT_FOUND, PENDING, SILENT, captured()]
    pauses = []
    for _ in range(3):
        await house.step(row)
        pauses.append(round(await house.due_in_s(row)))
    assert pauses == [5, 10, 15]

    payment = await house.step(row)
    assert (payment.status, payment.channel_trade_no, payment.qr_code) == (Status.SUCCEEDED, "4200001", "weixin://x")
    assert await house.tasks(row) == []
    assert await house.events(row) == ["created", "code_shown", "captured"]
    assert await house.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}
    assert await house.attempt_states(row) == ["captured"]


async def test_no_pause_goes_past_the_expiry(house: House) -> None:
    row = await house.show()
    await house.age(row, 297)
    house.channel.queries = [PENDING]
    await house.step(row)
    assert 2 < await house.due_in_s(row) <= 3


async def test_a_code_that_nobody_paid_is_shut_at_its_channel_at_the_expiry_and_stays_watched(house: House) -> None:
    row = await house.show()
    await house.age(row, 301)
    house.channel.queries, house.channel.closings = [PENDING], [SHUT]
    payment = await house.step(row)
    assert (payment.status, payment.failure, payment.reversal) == (Status.CLOSED, None, None)
    assert house.channel.asked == ["query", "close"]
    assert await house.events(row) == ["created", "code_shown", "closed"]
    assert await house.tasks(row) == ["watch"]
    assert await house.balances(row) == {}
    assert await house.attempt_states(row) == ["closed"]


async def test_a_payment_that_races_the_expiry_and_is_there_before_our_close_is_kept(house: House) -> None:
    row = await house.show()
    await house.age(row, 301)
    house.channel.queries, house.channel.closings = [PENDING, captured()], [shut(CloseState.PAID)]
    assert (await house.step(row)).status is Status.REQUIRES_ACTION
    assert await house.due_in_s(row) <= 1
    assert (await house.step(row)).status is Status.SUCCEEDED


async def test_a_notification_that_is_booked_while_the_channel_shuts_the_order_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await house.show()
    await house.age(row, 301)
    house.channel.queries = [PENDING]

    async def paid_just_now(_order: ChannelOrder, _limits: CallLimits) -> CloseReport:
        assert (await house.settle(await house.payment(row), captured())).status is Status.SUCCEEDED
        return SHUT

    monkeypatch.setattr(house.channel, "close", paid_just_now)
    assert (await house.step(row)).status is Status.SUCCEEDED
    assert await house.tasks(row) == []


async def test_money_that_comes_after_the_close_was_committed_goes_back_by_itself(house: House) -> None:
    row = await house.show()
    stale = await house.payment(row)
    await house.age(row, 301)
    house.channel.queries, house.channel.closings = [PENDING], [SHUT]
    await house.step(row)

    assert (await house.settle(stale, captured())).status is Status.CLOSED
    house.channel.queries, house.channel.refunds = [captured()], [RETURNED]
    await house.step(row, WATCH)
    payment = await house.step(row)
    assert (payment.status, payment.late_captures[0].status) == (Status.CLOSED, "refunded")
    assert await house.balances(row) == {}


async def test_a_worker_killed_between_the_channels_answer_and_the_commit_leaves_a_step_to_repeat(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await house.show()
    await house.age(row, 301)
    house.channel.queries, house.channel.closings = [PENDING, TRADE_SHUT], [SHUT]

    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(house.base.charging, "commit", killed)
        with pytest.raises(asyncio.CancelledError):
            await house.step(row)
    assert (await house.payment(row)).status is Status.REQUIRES_ACTION
    await house.age(row, 31)
    assert (await house.step(row)).status is Status.CLOSED
    assert await house.tasks(row) == ["watch"]


@pytest.mark.parametrize("answer", [CloseState.NOT_FOUND, CloseState.UNSUPPORTED])
async def test_a_code_that_the_channel_cannot_shut_ends_past_the_channels_own_limit(
    house: House, answer: CloseState
) -> None:
    row = await house.show()
    await house.age(row, 301)
    house.channel.queries, house.channel.closings = [NOT_FOUND], [shut(answer)]
    assert (await house.step(row)).status is Status.REQUIRES_ACTION
    assert (await house.payment(row)).to_json()["qr_code"] == "weixin://x"
    await house.age(row, 28)
    assert (await house.step(row)).status is Status.REQUIRES_ACTION
    assert await house.due_in_s(row) <= 1, "when its limit and the margin are over"
    await house.age(row, 2)
    assert (await house.step(row)).status is Status.CLOSED
    assert house.channel.asked == ["query", "close", "query", "close", "query"]


async def test_silence_closes_no_code(house: House) -> None:
    row = await house.show()
    await house.age(row, 1_000)
    house.channel.closings = [SILENT]
    assert (await house.step(row)).status is Status.REQUIRES_ACTION
    assert await house.due_in_s(row) <= 5
    house.channel.closings = [SHUT]
    assert (await house.step(row)).status is Status.CLOSED


@pytest.mark.parametrize("report", [TRADE_SHUT, refused()], ids=["closed", "refused"])
async def test_an_order_that_the_channel_ended_closes_the_code(house: House, report: TradeReport) -> None:
    row = await house.show()
    house.channel.queries = [report]
    payment = await house.step(row)
    assert (payment.status, payment.failure) == (Status.CLOSED, None)
    assert await house.tasks(row) == ["watch"]


async def test_another_amount_than_ours_is_left_to_a_person(house: House) -> None:
    row = await house.show()
    house.channel.queries = [captured(2_598)]
    payment = await house.step(row)
    assert (payment.status, payment.review) == (Status.REQUIRES_ACTION, AMOUNT_MISMATCH)
    assert await house.tasks(row) == []


async def test_a_refund_that_nobody_here_asked_for_is_left_to_a_person(house: House) -> None:
    row = await house.show()
    house.channel.queries = [TradeReport(TradeState.REFUNDED)]
    assert (await house.step(row)).review == REFUNDED_ELSEWHERE


async def test_a_code_whose_account_is_gone_waits_for_it(house: House) -> None:
    row = await house.show(account_id="nobody")
    assert (await house.step(row)).status is Status.REQUIRES_ACTION
    assert 29 < await house.due_in_s(row) <= 30


async def test_what_a_crash_left_before_it_was_shown_is_shut_at_once(house: House) -> None:
    row = await house.begin(method="qrcode", expires_in_s=7_200)
    house.channel.queries, house.channel.closings = [PENDING], [SHUT]
    assert (await house.step(row)).status is Status.CLOSED


@pytest.mark.parametrize("answer", [shut(CloseState.NOT_FOUND), shut(CloseState.UNSUPPORTED), SILENT])
async def test_what_a_crash_left_before_it_was_shown_and_cannot_be_shut_fails_and_is_shut_later(
    house: House, answer: CloseReport
) -> None:
    row = await house.begin(method="qrcode", expires_in_s=7_200)
    house.channel.queries, house.channel.closings = [SILENT], [answer]
    payment = await house.step(row)
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.CHANNEL_UNAVAILABLE)
    assert await house.tasks(row) == ["watch"]
    house.channel.calls.clear()
    house.channel.queries, house.channel.closings = [PENDING, TRADE_SHUT], [SHUT]
    await house.step(row)
    assert house.channel.asked == ["query", "close"], "the order is there after all, and can be paid by nobody now"
    await house.age(row, 7_800)
    await house.step(row)
    assert await house.tasks(row) == []


async def test_a_closed_code_is_watched_until_ten_minutes_past_the_channels_limit(house: House) -> None:
    row = await house.show()
    await house.cancel(row)
    house.channel.queries, house.channel.closings = [PENDING, TRADE_SHUT], [SHUT]
    assert (await house.step(row)).status is Status.CLOSED
    pauses = []
    for _ in range(4):
        await house.step(row)
        pauses.append(round(await house.due_in_s(row)))
        await house.age(row, pauses[-1])
    assert pauses == [30, 60, 120, 300]
    await house.step(row)
    assert 380 < await house.due_in_s(row) <= 390, "the last look is when it is over"
    await house.age(row, 390)
    house.channel.queries = [captured()]
    await house.step(row)
    assert await house.tasks(row) == ["give_back"], "what came since the look before is found"


# Cancelling


async def test_a_cancelled_code_that_nobody_paid_is_closed(house: House) -> None:
    row = await house.show()
    await house.cancel(row)
    assert await house.due_in_s(row) <= 0
    house.channel.queries, house.channel.closings = [PENDING], [SHUT]
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.CLOSED, "succeeded")
    assert house.channel.asked == ["query", "close"], "WeChat reverses bar codes only"


@pytest.mark.parametrize("seen", ["query", "notification", "close"])
async def test_a_cancelled_code_that_was_paid_gives_the_money_back_and_ends_reversed(house: House, seen: str) -> None:
    row = await house.show()
    await house.cancel(row)
    if seen == "notification":
        payment = await house.settle(await house.payment(row), captured())
        assert (payment.status, payment.reversal) == (Status.REQUIRES_ACTION, "pending"), "it is not told as success"
    if seen == "close":
        house.channel.queries, house.channel.closings = [PENDING], [shut(CloseState.PAID)]
        await house.step(row)
    house.channel.calls.clear()
    house.channel.queries, house.channel.refunds = [captured()], [RETURNED]
    payment = await house.step(row)
    assert (payment.status, payment.reversal, payment.channel_trade_no) == (Status.REVERSED, "succeeded", "4200001")
    assert house.channel.asked == ["query", "query_refund", "refund"]
    _, refund = house.channel.calls[-1]
    assert isinstance(refund, RefundOrder)
    assert (refund.refund_no, refund.amount.amount_fen) == (give_back_no(row.payment_id, 1), 2_599)
    assert refund.order.channel_trade_no == "4200001"
    assert await house.events(row) == ["created", "code_shown", "reversed"]
    assert await house.balances(row) == {}
    assert await house.attempt_states(row) == ["reversed"]
    assert await house.tasks(row) == []


async def test_the_same_money_told_of_again_after_it_went_back_is_no_late_capture(house: House) -> None:
    """UnionPay goes on calling it paid."""
    row = await house.show()
    stale = await house.payment(row)
    await house.cancel(row)
    house.channel.queries, house.channel.refunds = [captured()], [RETURNED]
    await house.step(row)
    assert (await house.settle(stale, captured())).status is Status.REVERSED
    assert await house.tasks(row) == []


async def test_giving_back_is_asked_about_before_it_is_repeated_and_alipay_calls_it_closed(house: House) -> None:
    row = await house.show()
    await house.cancel(row)
    house.channel.queries = [captured(), TRADE_SHUT]
    house.channel.refunds = [SILENT]
    house.channel.refund_queries = [NO_SUCH_REFUND, RefundReport(RefundState.PENDING), RETURNED]
    assert (await house.step(row)).reversal == "pending"
    assert (await house.step(row)).reversal == "pending"
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.REVERSED, "succeeded")
    refunds = [order for name, order in house.channel.calls if name in {"refund", "query_refund"}]
    assert [name for name, _ in house.channel.calls if name != "query"] == [
        "query_refund",
        "refund",
        *["query_refund"] * 2,
    ]
    assert len({(order.refund_no, order.created_at) for order in refunds if isinstance(order, RefundOrder)}) == 1


async def test_a_refund_under_way_is_not_taken_for_done_because_the_order_says_so(house: House) -> None:
    """WeChat calls an order refunded from the moment that the refund was asked for."""
    row = await house.show()
    await house.cancel(row)
    house.channel.queries = [captured(), TradeReport(TradeState.REFUNDED)]
    house.channel.refunds = house.channel.refund_queries = [RefundReport(RefundState.PENDING)]
    await house.step(row)
    payment = await house.step(row)
    assert (payment.status, payment.reversal, payment.review) == (Status.REQUIRES_ACTION, "pending", None)


async def test_money_that_the_channel_will_not_give_back_is_booked_after_all(house: House) -> None:
    row = await house.show()
    await house.cancel(row)
    house.channel.queries = [captured()]
    house.channel.refunds = [ChannelRejected("NOTENOUGH", FailureCode.CHANNEL_REFUSED)]
    assert (await house.step(row)).reversal == "failed"
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.SUCCEEDED, "failed")
    assert await house.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}
    assert await house.tasks(row) == []


async def test_a_cancelled_code_that_the_channel_cannot_shut_stays_pending_until_its_limit(house: House) -> None:
    row = await house.show()
    await house.cancel(row)
    assert not await house.base.store.rests(await house.payment(row), 3.0)
    house.channel.queries, house.channel.closings = [NOT_FOUND], [shut(CloseState.NOT_FOUND)]
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.REQUIRES_ACTION, "pending")
    assert await house.base.store.rests(payment, 3.0), "a till that waits can be answered"
    await house.age(row, 331)
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.CLOSED, "succeeded")


async def test_a_cancel_that_comes_while_the_worker_looks_is_not_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await house.show()

    async def cancelled_just_now(_order: ChannelOrder, _limits: CallLimits) -> TradeReport:
        await house.cancel(row)
        return PENDING

    with monkeypatch.context() as patch:
        patch.setattr(house.channel, "query", cancelled_just_now)
        await house.step(row)
    assert await house.due_in_s(row) <= 0


async def test_a_cancelled_code_is_never_shown(house: House) -> None:
    row = await house.begin(method="qrcode")
    await house.cancel(row)
    assert not await house.shows(row)
    house.channel.queries, house.channel.closings = [PENDING], [SHUT]
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.CLOSED, "succeeded")
