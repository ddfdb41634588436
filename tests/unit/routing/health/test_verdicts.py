"""What outcomes say of a channel: every failure code and every state has a verdict, and customers make no outage."""

from __future__ import annotations

import pytest

from gateway.kernel.failures import FailureCode
from routing.channels.base import ChannelRejected, ChannelUnknown, ChannelUnsent
from routing.channels.reports import CodeReport, PageReport, TradeReport, TradeState
from routing.health.verdicts import OF_FAILURES, OF_STATES, CallAnswer, Verdict, verdict_of


def test_every_failure_and_every_state_has_a_verdict() -> None:
    assert set(OF_FAILURES) == set(FailureCode)
    assert set(OF_STATES) == set(TradeState)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (TradeReport(TradeState.CAPTURED), Verdict.OK),
        (TradeReport(TradeState.REFUNDED), Verdict.OK),
        (TradeReport(TradeState.PENDING), Verdict.UNDECIDED),
        (TradeReport(TradeState.CLOSED), Verdict.CUSTOMER),
        (TradeReport(TradeState.NOT_FOUND), Verdict.ABANDONED),
        (CodeReport("weixin://x"), Verdict.OK),
        (PageReport(), Verdict.OK),
        (ChannelUnknown("answer_timeout"), Verdict.FAULT),
        (ChannelUnknown("http_502"), Verdict.FAULT),
        (ChannelUnknown("answer_signature"), Verdict.FAULT),
        (ChannelUnsent("connect_failed"), Verdict.UNSENT),
        (ChannelUnsent("connect_timeout"), Verdict.UNSENT),
        (ChannelUnsent("not_configured"), Verdict.FAULT),
    ],
)
def test_what_an_answer_says_of_the_channel(answer: CallAnswer, verdict: Verdict) -> None:
    assert verdict_of(answer) is verdict


@pytest.mark.parametrize(
    "failure",
    [
        FailureCode.INSUFFICIENT_FUNDS,
        FailureCode.AUTH_CODE_EXPIRED,
        FailureCode.AUTH_CODE_USED,
        FailureCode.CUSTOMER_CANCELLED,
        FailureCode.CARD_DECLINED,
        FailureCode.LIMIT_EXCEEDED,
    ],
)
def test_a_customers_failure_is_nobodys_outage(failure: FailureCode) -> None:
    assert verdict_of(ChannelRejected("CODE", failure)) is Verdict.CUSTOMER
    assert verdict_of(TradeReport(TradeState.REFUSED, failure=failure)) is Verdict.CUSTOMER


def test_an_order_that_was_not_paid_for_no_stated_reason_is_the_payers_and_a_refused_call_the_channels() -> None:
    wrong_pin = TradeReport(TradeState.REFUSED, channel_code="PAYERROR", failure=FailureCode.CHANNEL_REFUSED)
    assert verdict_of(wrong_pin) is Verdict.CUSTOMER
    assert verdict_of(ChannelRejected("PARAM_ERROR", FailureCode.CHANNEL_REFUSED)) is Verdict.FAULT


@pytest.mark.parametrize("code", ["send_before_passed", "pool_full", "pool_timeout", "transport_closed", "bad_number"])
def test_what_was_not_sent_for_our_own_reasons_says_nothing(code: str) -> None:
    assert verdict_of(ChannelUnsent(code)) is Verdict.ABANDONED
