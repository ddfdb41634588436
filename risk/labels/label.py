"""A label: what became known of a payment, when, and from whom; plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """Who knows."""

    CASE = "case"
    """An analyst's verdict on a case."""
    CHARGEBACK = "chargeback"
    """The customer's bank took the money back (拒付)."""
    ISSUER = "issuer"
    """The customer's bank or wallet said so."""
    MERCHANT = "merchant"
    POLICE = "police"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NewLabel:
    """What is to be recorded.  `known_at` (aware) is when it became known; None is now."""

    payment_id: str
    merchant_id: str
    fraud: bool
    source: Source
    by: str
    note: str | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """As recorded.  Of a payment's labels the one with the highest `seq` stands."""

    seq: int
    payment_id: str
    merchant_id: str
    fraud: bool
    source: Source
    by: str
    note: str | None
    known_at: datetime
    recorded_at: datetime
    told_at: datetime | None
