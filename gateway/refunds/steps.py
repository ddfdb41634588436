"""What to do next for a refund that is pending, and what a channel's answer makes of it; pure.

A refund is asked for first; once an answer is missing, or says nothing final, it is queried under the same number.
Only a query that does not find it leads to asking again.  A refusal is believed at once where nothing was sent before,
and else only once an earlier request can no longer arrive: it could still be carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from gateway.payments.payment import Payment
from gateway.refunds.refund import Refund
from routing.channels.base import ChannelError, ChannelRejected, RefundOrder, Rhythm
from routing.channels.reports import RefundReport, RefundState

Answer: TypeAlias = RefundReport | ChannelError
"""What a channel said of a refund: a verified report, or one of the three kinds of error."""

AMOUNT_MISMATCH: Final = "amount_mismatch"
"""Review reason: the channel gave back another amount than we asked for."""
ABNORMAL: Final = "abnormal"
"""Review reason: the channel cannot reach the customer's account; only people can settle it there."""
CONTRADICTED: Final = "contradicted"
"""Review reason: the channel says another end than the one that was booked."""

_REASON: Final = "refund"
_UNKNOWN_S_MAX: Final = 60.0
_PENDING_S: Final = (0.5, 120.0)
_A_DAY: Final = timedelta(days=1)
_LONG_PENDING_S: Final = 3_600.0
_REVIEW_S: Final = 86_400.0


class End(StrEnum):
    """What an answer decides."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means: the refund's end if it has one, and what is to be remembered of it."""

    end: End
    channel_refund_no: str | None = None
    failure: FailureCode | None = None
    channel_code: str | None = None
    review: str | None = None


def verdict(refund: Refund, report: RefundReport) -> Verdict:
    """What a verified report of a pending refund means."""
    known = report.channel_refund_no
    match report.state:
        case RefundState.SUCCEEDED if report.amount_fen in {None, refund.returned_to_customer}:
            return Verdict(End.SUCCEEDED, known)
        case RefundState.SUCCEEDED:
            return Verdict(End.OPEN, known, review=AMOUNT_MISMATCH)
        case RefundState.FAILED:
            return Verdict(End.FAILED, known, FailureCode.REFUND_REFUSED, report.channel_code)
        case RefundState.PENDING if report.abnormal:
            return Verdict(End.OPEN, known, review=ABNORMAL)
        case _:
            return Verdict(End.OPEN, known)


def as_asked(payment: Payment, refund: Refund) -> RefundOrder:
    """The refund as its channel knows it: the same in every step."""
    return RefundOrder(
        order=payment.channel_order,
        refund_no=refund.refund_no,
        amount=Money(refund.returned_to_customer, refund.currency),
        created_at=refund.created_at,
        reason=refund.reason or _REASON,
    )


def refused(error: ChannelRejected) -> Verdict:
    """What a refusal means, where it can be believed."""
    return Verdict(End.FAILED, failure=error.failure, channel_code=error.code)


def is_believed(refund: Refund, arrives_within_s: float) -> bool:
    """Whether a refusal ends the refund: no request was sent before, or all that were can no longer arrive.

    `refund` is as it was before the refused request.
    """
    if refund.last_asked_at is None:
        return True
    return refund.read_at >= refund.last_asked_at + timedelta(seconds=arrives_within_s)


def contradicts(refund: Refund, report: RefundReport) -> bool:
    """Whether a report of a refund that is over tells of another end."""
    ends = {RefundState.SUCCEEDED: "succeeded", RefundState.FAILED: "failed"}
    return report.state in ends and ends[report.state] != refund.status


def wait_s(refund: Refund, answer: Answer, rhythm: Rhythm) -> float:
    """Seconds until the next look.

    An unknown outcome is asked for soon and then at least every minute (I6: after a fault everything ends within
    180 s).  What a channel has taken in and not carried out has its own time: banks take days.
    """
    if refund.review is not None:
        return _REVIEW_S
    if isinstance(answer, RefundReport) and answer.state is RefundState.PENDING:
        age = refund.read_at - (refund.asked_at or refund.read_at)
        low, high = _PENDING_S
        return _LONG_PENDING_S if age > _A_DAY else min(max(low, age.total_seconds() / 2), high)
    first = 2 * rhythm.after_unknown_s[0]  # Alipay wants ten seconds between a refund and its query
    return float(min(first * 2 ** min(refund.tries, 10), _UNKNOWN_S_MAX))
