"""Whether a refund may be taken, and when it may go out; pure.  All times are the database's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.kernel.errors import Conflict
from gateway.kernel.money import Currency
from gateway.payments.numbers import REFUNDS_MAX
from gateway.payments.states import Status
from gateway.refunds.refund import Refund, RefundStatus
from routing.channels.base import RefundRules


@dataclass(frozen=True, slots=True)
class Original:
    """What a refund needs of its payment, as it stands under its lock; amounts in fen."""

    id: str
    merchant_id: str
    status: Status
    reversal: str | None
    review: str | None
    amount: int
    payable: int
    currency: Currency
    wallet: str | None
    account_id: str | None
    attempt_seq: int
    refund_held: int
    refund_count: int
    completed_at: datetime | None
    now: datetime


def must_be_refundable(original: Original, goods: int) -> None:
    """Raises Conflict where the payment takes no refund of that value."""
    if original.status is not Status.SUCCEEDED:
        raise _conflict("not_refundable", f"This payment is {original.status}: only a succeeded one is refunded.")
    if original.reversal in {"pending", "succeeded"}:
        raise _conflict("not_refundable", "This payment is being cancelled, and given back whole.")
    if original.review is not None:
        raise _conflict("not_refundable", "A person is looking into this payment.")
    left = original.amount - original.refund_held
    if goods > left:
        raise _conflict("refund_exceeds_payment", f"Of this payment {left} fen are left to refund.", "amount")
    if original.refund_count >= REFUNDS_MAX:
        raise _conflict("refund_limit_reached", f"A payment takes at most {REFUNDS_MAX:,} refunds.")


def due_at(original: Original, refunds: Sequence[Refund], rules: RefundRules) -> datetime:
    """When the channel takes one more refund of the payment.  Raises Conflict where it never will."""
    if len([refund for refund in refunds if _counts(refund)]) >= rules.count_max:
        raise _conflict("refund_limit_reached", f"The channel takes at most {rules.count_max} refunds of a payment.")
    due = _behind_all(original.now, refunds, timedelta(seconds=rules.interval_s))
    paid_at = original.completed_at or original.now
    if due >= paid_at + timedelta(days=rules.window_days):
        raise _conflict(
            "refund_window_closed", f"The channel takes refunds for {rules.window_days} days after the payment."
        )
    return due


def free_at(refunds: Iterable[Refund], rules: RefundRules) -> datetime | None:
    """From when on the rate allows another refund beside these; None where nothing stands in its way."""
    asked = [refund.last_asked_at for refund in refunds if refund.last_asked_at is not None]
    return max(asked) + timedelta(seconds=rules.interval_s) if asked and rules.interval_s else None


def _behind_all(now: datetime, refunds: Iterable[Refund], interval: timedelta) -> datetime:
    """The end of the queue, as far as can be told: behind what was sent, and behind those that wait for their turn.

    (A request under way counts as sent now; the worker looks again before it sends.)
    """
    if not interval:
        return now
    sent = [min(refund.last_asked_at, now) for refund in refunds if refund.last_asked_at is not None]
    waiting = [refund.next_at for refund in refunds if is_pending(refund) and refund.asked_at is None]
    return max([now, *[moment + interval for moment in (*sent, *waiting)]])


def is_pending(refund: Refund) -> bool:
    """Whether the channel still has to give it back."""
    return refund.status is RefundStatus.PENDING


def _counts(refund: Refund) -> bool:
    """Whether it is one of those that the channel counts: it gives money back, or has."""
    return refund.status is not RefundStatus.FAILED and refund.returned_to_customer > 0


def _conflict(code: str, message: str, param: str = "payment_id") -> Conflict:
    return Conflict(code, message, param=param)
