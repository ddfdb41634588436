"""What campaigns look at: the payment that is to be priced, and what is known of its customer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from promotions.campaigns.campaign import Scope

EVER: Final = date(2000, 1, 1)
"""The day under which `campaign_uses` counts what is not of one day."""
_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class Coupon(NamedTuple):
    """A coupon that the customer holds and that the till named, or that is found for him."""

    id: str
    campaign_id: str
    expires_at: datetime | None


class Uses(NamedTuple):
    """How often and how much (fen) was taken."""

    times: int = 0
    fen: int = 0


class History(NamedTuple):
    """What a known customer did so far: captured payments that stand.  Somebody new has none of it.

    `uses` is what he and his device took of campaigns: by campaign, scope and day (EVER for all days together).  (Named
    tuples here: made for every payment, they cost less than half of what frozen dataclasses do.)
    """

    orders: int = 0
    spent_fen: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    orders_by_wallet: Mapping[str, int] = _NOTHING
    orders_by_bin: Mapping[str, int] = _NOTHING
    orders_by_merchant: Mapping[str, int] = _NOTHING
    segments: tuple[str, ...] = ()
    uses: Mapping[tuple[str, Scope, date], Uses] = _NOTHING
    coupons: tuple[Coupon, ...] = ()


class Facts(NamedTuple):
    """One payment to be priced.  `at` is the database's time (aware); each campaign reads it in its own time zone.

    `customer` and `device` are keyed hashes in hex, of the merchant's realm; None where the till did not say.  `wallet`
    is None for a code that any wallet can pay, `channel` (an account's id) where the price is not of one account.
    `order_key` is what reservations are made under: the merchant and its order number, or of a quote anything.
    """

    merchant_id: str
    order_key: str
    amount_fen: int
    method: str
    at: datetime
    wallet: str | None = None
    channel: str | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    region: str | None = None
    category: str | None = None
    card_bin: str | None = None
    code_id: str | None = None
    expires_in_s: int = 60
    customer: str | None = None
    device: str | None = None
    coupons: tuple[str, ...] = ()
    """As the till sent them: codes that everybody knows, or ids of the customer's own."""
    history: History | None = None
    """None where the customer is unknown."""
