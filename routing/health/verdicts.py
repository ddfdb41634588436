"""What an answer says of the channel that gave it: the one table between the outcomes of payments and health."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from gateway.kernel.failures import FailureCode
from routing.channels.base import ChannelError, ChannelRejected, ChannelUnsent
from routing.channels.reports import CodeReport, PageReport, TradeReport, TradeState


class Verdict(StrEnum):
    """How a call ended, as far as the channel's health is concerned."""

    OK = "ok"
    CUSTOMER = "customer"
    """No money, wrong PIN, an expired code: the channel did its work, and it is nobody's outage."""
    FAULT = "fault"
    """Refused for reasons of the channel or of our set-up there, or unknown: timeouts, 5xx, bad signatures."""
    UNSENT = "unsent"
    """No connection came about: the whole account is concerned, and no payment was lost."""
    UNDECIDED = "undecided"
    """The channel answered that it is at work (PENDING); `Health.decide` tells later how that ended."""
    ABANDONED = "abandoned"
    """Nothing was learnt: cancelled, or not sent for reasons of our own."""


CallAnswer: TypeAlias = TradeReport | CodeReport | PageReport | ChannelError
"""What a charge, a code on display, a page's order or a query came back with."""

OF_FAILURES: Final[dict[FailureCode, Verdict]] = {
    FailureCode.INSUFFICIENT_FUNDS: Verdict.CUSTOMER,
    FailureCode.AUTH_CODE_EXPIRED: Verdict.CUSTOMER,
    FailureCode.AUTH_CODE_INVALID: Verdict.CUSTOMER,
    FailureCode.AUTH_CODE_USED: Verdict.CUSTOMER,
    FailureCode.CUSTOMER_CANCELLED: Verdict.CUSTOMER,
    FailureCode.CUSTOMER_ACCOUNT_RESTRICTED: Verdict.CUSTOMER,
    FailureCode.CARD_DECLINED: Verdict.CUSTOMER,
    FailureCode.LIMIT_EXCEEDED: Verdict.CUSTOMER,
    FailureCode.CHANNEL_RISK_DECLINED: Verdict.CUSTOMER,
    FailureCode.CHANNEL_UNAVAILABLE: Verdict.FAULT,
    FailureCode.CHANNEL_REFUSED: Verdict.FAULT,
    FailureCode.CHANNEL_MISCONFIGURED: Verdict.FAULT,
    FailureCode.NOT_CREATED: Verdict.FAULT,
    FailureCode.GIVEN_BACK: Verdict.FAULT,
    # No channel was asked.
    FailureCode.RISK_DECLINED: Verdict.ABANDONED,
    FailureCode.RISK_UNAVAILABLE: Verdict.ABANDONED,
    FailureCode.PRICE_CHANGED: Verdict.ABANDONED,
    FailureCode.DISCOUNT_EXHAUSTED: Verdict.ABANDONED,
    FailureCode.REPLACED_PAYMENT_PAID: Verdict.ABANDONED,
    FailureCode.WALLET_UNSUPPORTED: Verdict.ABANDONED,
    FailureCode.NO_CHANNEL: Verdict.ABANDONED,
    # Of refunds, which say nothing of how payments are taken.
    FailureCode.MERCHANT_BALANCE_INSUFFICIENT: Verdict.ABANDONED,
    FailureCode.REFUND_REFUSED: Verdict.ABANDONED,
    FailureCode.REFUND_TOO_LATE: Verdict.ABANDONED,
    FailureCode.PAYER_CANNOT_RECEIVE: Verdict.ABANDONED,
}
"""Of a refused call."""

OF_STATES: Final[dict[TradeState, Verdict]] = {
    TradeState.CAPTURED: Verdict.OK,
    TradeState.REFUNDED: Verdict.OK,
    TradeState.PENDING: Verdict.UNDECIDED,
    TradeState.CLOSED: Verdict.CUSTOMER,  # shut unpaid, or given back on our own request
    TradeState.REFUSED: Verdict.CUSTOMER,  # without a failure that says more
    TradeState.NOT_FOUND: Verdict.ABANDONED,
}

_NOT_CONNECTED: Final = frozenset({"connect_failed", "connect_timeout"})
_SET_UP_WRONG: Final = frozenset({"not_configured", "no_notify_url", "no_app_secret", "bad_address"})
"""The account cannot take such a payment at all: known only once it was tried."""


def verdict_of(answer: CallAnswer) -> Verdict:
    """The verdict on the channel; whatever proves nothing good is a FAULT."""
    match answer:
        case TradeReport():
            return _of_report(answer)
        case CodeReport() | PageReport():
            return Verdict.OK
        case ChannelRejected():
            return OF_FAILURES[answer.failure]
        case ChannelUnsent():
            return _of_unsent(answer.code)
        case _:
            return Verdict.FAULT


def _of_report(report: TradeReport) -> Verdict:
    """An order that the channel knew and that will not be paid for no stated reason is the payer's doing.

    WeChat's PAYERROR is one: a wrong PIN, a bank's no.  The same code as the refusal of a call is the channel's.
    """
    if report.state is not TradeState.REFUSED or report.failure in {None, FailureCode.CHANNEL_REFUSED}:
        return OF_STATES[report.state]
    return OF_FAILURES[report.failure]


def _of_unsent(code: str) -> Verdict:
    if code in _NOT_CONNECTED:
        return Verdict.UNSENT
    return Verdict.FAULT if code in _SET_UP_WRONG else Verdict.ABANDONED
