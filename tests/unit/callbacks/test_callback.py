"""A notification keeps what it said, and only one about an order of ours becomes a callback."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.callbacks.applying import ORPHAN_AFTER_S, pause_s, told_of_a_paid_one
from gateway.callbacks.callback import Callback, Result
from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_id
from gateway.payments.numbers import attempt_order_no, give_back_no, refund_order_no
from routing.channels.notifications import Notification, NotificationRefused
from routing.channels.reports import RefundReport, RefundState, TradeReport, TradeState
from tests.unit.payments.payments import payment

TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=40)
AMOUNTS = st.none() | st.integers(0, 10**12)
TRADES = st.builds(
    TradeReport,
    state=st.sampled_from(TradeState),
    channel_trade_no=TEXTS,
    amount_fen=AMOUNTS,
    payer_paid_fen=AMOUNTS,
    paid_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    payer_id=TEXTS,
    channel_code=TEXTS,
    failure=st.none() | st.sampled_from(FailureCode),
)
REFUNDS = st.builds(
    RefundReport,
    state=st.sampled_from(RefundState),
    channel_refund_no=TEXTS,
    amount_fen=AMOUNTS,
    abnormal=st.booleans(),
)
PAYMENT_ID = new_id("pay")
ORDER_NO = attempt_order_no(PAYMENT_ID, 3)


@given(trade=TRADES)
def test_a_payments_notification_is_read_back_as_it_was_kept(trade: TradeReport) -> None:
    callback = Callback.of("a", Notification("n-1", ORDER_NO, trade))
    assert Callback.read("a", callback.report()) == callback
    assert (callback.payment_id, callback.attempt_seq, callback.refund_number) == (PAYMENT_ID, 3, None)


@given(refund=REFUNDS, seq=st.integers(1, 1023))
def test_a_refunds_notification_is_read_back_as_it_was_kept(refund: RefundReport, seq: int) -> None:
    number = refund_order_no(PAYMENT_ID, 3, seq)
    callback = Callback.of("a", Notification("n-1", ORDER_NO, refund=refund, refund_no=number))
    assert Callback.read("a", callback.report()) == callback
    assert callback.refund_number == (PAYMENT_ID, 3, seq)


def test_what_gives_a_whole_attempt_back_is_a_refund_without_a_row() -> None:
    number = give_back_no(PAYMENT_ID, 3)
    notification = Notification("n", ORDER_NO, refund=RefundReport(RefundState.SUCCEEDED), refund_no=number)
    assert Callback.of("a", notification).refund_number == (PAYMENT_ID, 3, None)


@pytest.mark.parametrize(
    "number", [give_back_no(PAYMENT_ID, 2), refund_order_no(new_id("pay"), 3, 1)], ids=["attempt", "payment"]
)
def test_a_refund_of_another_order_than_the_notification_names_is_refused(number: str) -> None:
    refund = RefundReport(RefundState.SUCCEEDED)
    with pytest.raises(NotificationRefused, match="malformed"):
        Callback.of("a", Notification("n", ORDER_NO, refund=refund, refund_no=number))


@given(order_no=st.text(max_size=40))
def test_a_number_that_is_not_of_our_making_is_refused_whatever_it_is(order_no: str) -> None:
    with pytest.raises(NotificationRefused, match="foreign_order"):
        Callback.of("a", Notification("n", order_no, TradeReport(TradeState.CAPTURED)))


@pytest.mark.parametrize(
    ("report", "result"),
    [
        (TradeReport(TradeState.CAPTURED, amount_fen=2_599), Result.NO_CHANGE),
        (TradeReport(TradeState.CAPTURED, amount_fen=2_600), Result.REVIEW),
        (TradeReport(TradeState.PENDING), Result.NO_CHANGE),
        (TradeReport(TradeState.REFUSED), Result.REVIEW),
        (TradeReport(TradeState.CLOSED), Result.REVIEW),
        (TradeReport(TradeState.REFUNDED), Result.REVIEW),
    ],
)
def test_what_is_told_of_a_payment_that_is_booked(report: TradeReport, result: Result) -> None:
    assert told_of_a_paid_one(payment(), report) is result


@pytest.mark.parametrize("changes", [{"refund_held": 1}, {"reversal": "pending"}])
@pytest.mark.parametrize("state", [TradeState.CLOSED, TradeState.REFUNDED])
def test_money_that_we_are_giving_back_ourselves_is_no_contradiction(
    state: TradeState, changes: dict[str, object]
) -> None:
    assert told_of_a_paid_one(payment().with_(**changes), TradeReport(state)) is Result.NO_CHANGE


def test_the_looks_for_an_order_that_is_not_there_yet_reach_over_a_day_and_become_rare() -> None:
    pauses = [pause_s(tries) for tries in range(32)]
    assert pauses == sorted(pauses)
    assert sum(pauses) > ORPHAN_AFTER_S
    assert sum(pauses[:4]) < 30
