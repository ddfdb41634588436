"""What the risk check looks at: one payment as its till described it, and where it is made.  Plain values."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class CodeType(StrEnum):
    """How the customer's and the till's phones met; regulation caps the first two differently."""

    BARCODE = "barcode"
    """The till scanned the customer's code."""
    DYNAMIC = "dynamic"
    """The customer scans a code that was made for this payment."""
    STATIC = "static"
    """The customer scanned a code on the wall."""


class Location(NamedTuple):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


class Facts(NamedTuple):
    """One payment to be screened.  `at` is the database's time (aware), `timezone` the merchant's (an IANA name).

    `customer`, `device` and `payer` are keyed hashes, hex, of the merchant's realm; None where the till did not say.
    `order_key` is the merchant and its order number: what counting goes by, whatever is retried.
    """

    merchant_id: str
    order_key: str
    amount_fen: int
    method: str
    code_type: CodeType
    at: datetime
    timezone: str
    wallet: str | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None
    region: str | None = None
    category: str | None = None
    code_id: str | None = None
    customer: str | None = None
    device: str | None = None
    ip: str | None = None
    card_bin: str | None = None
    location: Location | None = None
    store_location: Location | None = None
    device_rooted: bool | None = None
    merchant_since: datetime | None = None
    merchant_tier: str | None = None
    has_coupon: bool = False


class Tolerance(NamedTuple):
    """What a merchant takes while features are away: payments up to an amount (fen), any (None), or none (0)."""

    amount_fen_max: int | None
