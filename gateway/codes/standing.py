"""How a payment stands for the customer who holds its code: fewer words than the till has."""

from __future__ import annotations

from enum import StrEnum
from zoneinfo import ZoneInfo

from gateway.kernel.clock import utc_now
from gateway.payments.payment import Payment
from gateway.payments.states import Status


class Standing(StrEnum):
    """What the page shows."""

    OPEN = "open"
    PAID = "paid"
    OVER = "over"
    """Nobody can pay it any more; money that was taken goes back."""
    CHECKING = "checking"
    """The channel's books and ours differ: a person looks into it."""


def standing_of(payment: Payment) -> Standing:
    """Read off the payment; one whose time is over and that no wallet has open is over before the worker says so."""
    if payment.status is Status.SUCCEEDED and payment.reversal != "pending":
        return Standing.PAID
    if payment.review is not None and not payment.status.is_final:
        return Standing.CHECKING
    if payment.status.is_final or payment.reversal is not None:
        return Standing.OVER
    expired = payment.expires_at <= utc_now() and not payment.has_open_attempt
    return Standing.OVER if expired else Standing.OPEN


def paid_at(payment: Payment, timezone: str) -> str | None:
    """When it was paid, on the shop's clock: `2026-11-22 09:02:03`."""
    moment = payment.completed_at
    return None if moment is None else moment.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S")
