"""A case: a payment that a person looks at, its history and the complaints about it; plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

CASE_ID_PATTERN: Final = r"^case_[0-9A-HJKMNP-TV-Z]{26}$"


class Kind(StrEnum):
    """Why a case was opened first."""

    REVIEW = "review"
    """The risk check let the payment through, to be looked at."""
    COMPLAINT = "complaint"
    """The customer complained (投诉)."""


class Verdict(StrEnum):
    """What the person decided."""

    GOOD = "good"
    FRAUD = "fraud"


class StepKind(StrEnum):
    """What was done about a case."""

    CLAIMED = "claimed"
    TAKEN_OVER = "taken_over"
    """From somebody whose claim still held."""
    RELEASED = "released"
    NOTED = "noted"
    COMPLAINED = "complained"
    DECIDED = "decided"
    REOPENED = "reopened"


class Reason(StrEnum):
    """What a customer complains of."""

    NOT_AUTHORISED = "not_authorised"
    """Somebody else paid with the customer's wallet (盗刷)."""
    NOT_RECEIVED = "not_received"
    WRONG_AMOUNT = "wrong_amount"
    CHARGED_TWICE = "charged_twice"
    NO_REFUND = "no_refund"
    DECEIVED = "deceived"
    """The merchant deceived the customer."""
    OTHER = "other"


class Channel(StrEnum):
    """Over which way a complaint came."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    UNIONPAY = "unionpay"
    ISSUER = "issuer"
    MERCHANT = "merchant"
    PHONE = "phone"
    REGULATOR = "regulator"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Case:
    """As stored.  `version` is the number of its last step; `read_at` is the database's time of this reading."""

    id: str
    merchant_id: str
    kind: Kind
    payment_id: str
    amount_fen: int
    score: int | None
    opened_at: datetime
    due_at: datetime
    version: int
    claimed_by: str | None
    claimed_until: datetime | None
    reopened_at: datetime | None
    verdict: Verdict | None
    decided_by: str | None
    decided_at: datetime | None
    read_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided it, or it was opened again."""
        return self.decided_at is None

    @property
    def is_overdue(self) -> bool:
        """Whether it should have been decided."""
        return self.is_open and self.due_at <= self.read_at

    @property
    def holder(self) -> str | None:
        """Who works on it; a claim that ran out holds no longer."""
        if self.claimed_until is None or self.claimed_until <= self.read_at:
            return None
        return self.claimed_by

    @property
    def since(self) -> datetime:
        """From when on its verdict is awaited."""
        return self.reopened_at or self.opened_at


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done about a case; `note` is what the person wrote, `detail` what came of it."""

    seq: int
    kind: StepKind
    by: str
    at: datetime
    note: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What came with a complaint: a text, or the address where a file lies."""

    kind: str
    name: str
    text: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class NewComplaint:
    """What somebody complained of.  `number` is the channel's own number of it: the same one is taken once."""

    payment_id: str
    reason: Reason
    channel: Channel
    number: str
    text: str
    by: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Complaint:
    """As recorded, in the case that it opened or joined."""

    id: str
    case_id: str
    payment_id: str
    reason: Reason
    channel: Channel
    number: str
    text: str
    by: str
    evidence: tuple[Evidence, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """When cases of a kind are due after they were opened, and for how long a claim holds."""

    kind: Kind
    due_hours: int
    claim_minutes: int
