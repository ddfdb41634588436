"""What every rule needs beside the payment itself: the moment, the bound, the accounts, and how a payment stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.audit.rows import AccountRow, Dossier, PaymentRow, Trade
from gateway.payments.states import Event, Status
from gateway.seeding.marks import SEEDED_ACCOUNTS, is_seeded

BOUND_S: Final = 180.0
"""I6: so long after a fault ends, nothing is unresolved (PRODUCT.md)."""
_WATCH_PAUSE_S_MAX: Final = 3_600.0
"""An order that was never found is looked at again at the latest after so long (gateway.workers.late)."""
_OPEN: Final = frozenset({Status.PROCESSING, Status.REQUIRES_ACTION})


class Standing(StrEnum):
    """How far a payment can be compared with the channels' books; only `decided` ones must agree in everything."""

    DECIDED = "decided"
    UNRESOLVED = "unresolved"
    """No outcome yet, or its reversal is pending."""
    RETURNING = "returning"
    """A late capture is on its way back."""
    REFUNDING = "refunding"
    """A refund is on its way: its channel may have carried it out."""
    REVIEW = "review"
    """Left to a person."""
    BY_HAND = "by_hand"
    """Settled by a person, whose word the channel's books do not bear out."""
    SEEDED = "seeded"
    """Made by `mashang seed`, at accounts that no channel has: our own books are compared, there are no others."""
    CHANGING = "changing"
    """Something happened to it while the books were read."""


@dataclass(frozen=True, slots=True)
class Scene:
    """`now` is the database's time of the snapshot; from `books_read_from` until then the other books were read."""

    now: datetime
    books_read_from: datetime
    bound: timedelta
    accounts: Mapping[str, AccountRow]
    has_channels: bool = True
    """Whether the channels' books are there; without them nothing is said of what they would show."""

    def standing(self, dossier: Dossier) -> Standing:
        """How the payment stands."""
        if is_in_review(dossier):
            return Standing.REVIEW
        if _was_seeded(dossier):
            return Standing.SEEDED
        under_way = _under_way(dossier)
        if under_way is not None:
            return under_way
        if self.has_channels and dossier.settled_by_hand:
            return Standing.BY_HAND
        is_changing = any(event.at >= self.books_read_from for event in dossier.events)
        return Standing.CHANGING if is_changing else Standing.DECIDED

    def is_sought(self, dossier: Dossier, trade: Trade) -> bool:
        """Whether a worker will still come upon this capture by itself."""
        watch = dossier.tasks.get("watch")
        if watch is None or trade.captured_at is None:
            return False
        since = max([datetime.fromisoformat(trade.captured_at), *filter(None, [dossier.settled_at])])
        found_by = since + timedelta(seconds=_WATCH_PAUSE_S_MAX) + self.bound
        return self.now <= found_by and (watch.leased or self.now <= watch.next_at + self.bound)


def is_in_review(dossier: Dossier) -> bool:
    """Whether it, or a refund of it, is left to a person."""
    return dossier.payment.review is not None or any(row.review is not None for row in dossier.refund_rows.values())


def _was_seeded(dossier: Dossier) -> bool:
    """Of a seeded merchant, and never at an account that a channel could know."""
    attempts = dossier.attempts.values()
    return is_seeded(dossier.payment.merchant_id) and all(
        row.account_id.startswith(SEEDED_ACCOUNTS) for row in attempts
    )


def _under_way(dossier: Dossier) -> Standing | None:
    if is_unresolved(dossier.payment):
        return Standing.UNRESOLVED
    if any(late.status == "pending" for late in dossier.lates.values()):
        return Standing.RETURNING
    return Standing.REFUNDING if any(row.is_pending for row in dossier.refund_rows.values()) else None


def is_unresolved(payment: PaymentRow) -> bool:
    """Whether the worker still owes this payment something; one under review is a person's."""
    if payment.review is not None:
        return False
    return payment.status in _OPEN or (payment.status == Status.SUCCEEDED and payment.reversal == "pending")


def was_booked(dossier: Dossier) -> datetime | None:
    """When the payment's capture was booked; None where it never was."""
    return next((event.at for event in dossier.events if event.type == Event.CAPTURED), None)


def was_taken_back(dossier: Dossier) -> datetime | None:
    """When a booked capture was booked back; None where it was not."""
    if was_booked(dossier) is None:
        return None
    return next((event.at for event in dossier.events if event.type == Event.REVERSED), None)
