"""Something that a person has to look at, and the verdicts that fit it; plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.payments.settle import REFUNDED_ELSEWHERE


class Kind(StrEnum):
    """What is in review."""

    PAYMENT = "payment"
    REFUND = "refund"
    LATE_CAPTURE = "late_capture"
    """Money that came too late, and that its channel would not take back."""
    CALLBACK = "callback"
    """A notification that contradicts our books, or names an order that is not ours."""


class Verdict(StrEnum):
    """What a person can decide."""

    QUERY_AGAIN = "query_again"
    """A payment: the worker goes on with it."""
    ACCEPT_CAPTURE = "accept_capture"
    """A payment: it is paid, in the amount that was asked for."""
    GIVE_BACK = "give_back"
    """A payment: it fails, and what the channel took goes back."""
    MARK_REVERSED = "mark_reversed"
    """A payment: the whole amount was given back at the channel itself."""
    ASK_AGAIN = "ask_again"
    """A refund: the worker goes on with it, or the channel has come to agree."""
    MARK_SUCCEEDED = "mark_succeeded"
    """A refund: the money has reached the customer."""
    MARK_FAILED = "mark_failed"
    """A refund: it has not, and will not."""
    KEEP = "keep"
    """A refund that has ended: our end stands, and the difference was settled elsewhere."""
    TRY_AGAIN = "try_again"
    """A late capture or a callback: the worker tries again."""
    MARK_RETURNED = "mark_returned"
    """A late capture: the money has reached the customer."""
    NOTED = "noted"
    """A callback: somebody has looked at it."""


OPEN_PAYMENT: Final = (Verdict.QUERY_AGAIN, Verdict.ACCEPT_CAPTURE, Verdict.GIVE_BACK)
_REFUNDED_PAYMENT: Final = (Verdict.QUERY_AGAIN, Verdict.MARK_REVERSED)
_PENDING_REFUND: Final = (Verdict.ASK_AGAIN, Verdict.MARK_SUCCEEDED, Verdict.MARK_FAILED)
_ENDED_REFUND: Final = (Verdict.ASK_AGAIN, Verdict.KEEP)
BY_HAND: Final = frozenset(
    {Verdict.MARK_REVERSED, Verdict.MARK_SUCCEEDED, Verdict.MARK_FAILED, Verdict.KEEP, Verdict.MARK_RETURNED}
)
"""What rests on a person's word: the channel's books may say otherwise for ever."""
WITH_NOTE: Final = BY_HAND | {Verdict.NOTED}
"""Verdicts that say what was seen, and where."""


class Told(NamedTuple):
    """What a notification says; the amount in fen."""

    state: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class Review:
    """One thing in review.  `amount` is the goods' value, `expected` what we know the channel by; in fen."""

    id: str
    kind: Kind
    reason: str
    since: datetime
    payment_id: str
    merchant_id: str | None
    refund_id: str | None
    attempt_seq: int | None
    account_id: str | None
    status: str | None
    amount: int | None
    expected: int | None
    order_no: str | None
    refund_no: str | None
    read_at: datetime
    notification_id: str | None = None
    told: Told | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Those that fit; what the channel says may still speak against one."""
        match self.kind:
            case Kind.PAYMENT:
                return _REFUNDED_PAYMENT if self.reason == REFUNDED_ELSEWHERE else OPEN_PAYMENT
            case Kind.REFUND:
                return _PENDING_REFUND if self.status == "pending" else _ENDED_REFUND
            case Kind.LATE_CAPTURE:
                return (Verdict.TRY_AGAIN, Verdict.MARK_RETURNED)
            case Kind.CALLBACK:
                return (Verdict.TRY_AGAIN, Verdict.NOTED)


ORDER: Final = (Kind.REFUND, Kind.PAYMENT, Kind.LATE_CAPTURE, Kind.CALLBACK)
"""The kinds as a list has them: by id, descending, so that the newest of each kind comes first."""
_ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_PATTERNS: Final = {
    Kind.REFUND: f"ref_{_ULID}",
    Kind.PAYMENT: f"pay_{_ULID}",
    Kind.LATE_CAPTURE: f"late_{_ULID}A[0-9A-HJKMNP-TV-Z]",
    Kind.CALLBACK: f"call_{_ULID}_[0-9a-f]{{16}}",
}
ID_PATTERN: Final = f"^({'|'.join(_PATTERNS.values())})$"


def kind_of(review_id: str) -> Kind:
    """What an id names.  Raises ValueError for one that is none."""
    for kind, pattern in _PATTERNS.items():
        if re.fullmatch(pattern, review_id):
            return kind
    raise ValueError("no id of a review")
