"""What a campaign's condition can look at: the payment, its time in the campaign's zone, and its customer so far."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from gateway.kernel.expressions import Expression, Field, Fields, FieldType, Value, check
from gateway.kernel.local_time import time_fields
from promotions.facts import Facts, History

WALLETS: Final = frozenset({"wechat", "alipay", "unionpay", "digital_rmb", "jd", "best_pay", "qq"})
"""Those that a channel can take (routing/channels/base.py); a condition that asks for another could never be true."""
METHODS: Final = frozenset({"barcode", "qrcode", "page"})
BIN_DIGITS: Final = 6
"""A customer's payments are counted by so many digits of their card's BIN."""
SLEEPING_AFTER_DAYS: Final = 60
HIGH_VALUE_ORDERS: Final = 10
HIGH_VALUE_SPENT_FEN: Final = 100_000

_INT: Final = FieldType.INT
_TEXT: Final = FieldType.STRING
_TEXTS: Final = FieldType.STRING_LIST
_BOOL: Final = FieldType.BOOL
_CACHED_MAX: Final = 32_768


class Segment(StrEnum):
    """Customers by recency, frequency and money (RFM); the first that holds, from the top."""

    NEW = "new"
    """No payment yet."""
    SLEEPING = "sleeping"
    """The last payment is SLEEPING_AFTER_DAYS ago, or longer."""
    HIGH_VALUE = "high_value"
    """At least HIGH_VALUE_ORDERS payments and HIGH_VALUE_SPENT_FEN in all."""
    ACTIVE = "active"
    """All others."""


FIELDS: Final = Fields(
    Field("payment.amount", _INT, "The value of the goods, in fen."),
    Field(
        "payment.wallet",
        _TEXT,
        "The customer's wallet, such as 'wechat' or 'alipay'; null for a code that any wallet can pay.",
        nullable=True,
    ),
    Field(
        "payment.channel",
        _TEXT,
        "The channel account that would take it, such as 'wechat_direct'; the router looks for the best price then.",
        nullable=True,
    ),
    Field("payment.method", _TEXT, "'barcode', 'qrcode' (a channel's code on display) or 'page' (in the wallet)."),
    Field("payment.merchant_id", _TEXT, "The merchant, 'mer_…'."),
    Field("payment.store_id", _TEXT, "The store, as the merchant names it.", nullable=True),
    Field("payment.region", _TEXT, "The region of the store, or else of the merchant.", nullable=True),
    Field("payment.category", _TEXT, "The category of the store, or else of the merchant.", nullable=True),
    Field("payment.terminal_id", _TEXT, "The till, as the merchant names it.", nullable=True),
    Field("payment.card_bin", _TEXT, "The first 6 to 8 digits of the card, where the till sent them.", nullable=True),
    Field("payment.code", _TEXT, "The code on the wall that was scanned, its id.", nullable=True),
    Field("payment.coupons", _TEXTS, "The coupons that the till sent: codes, or ids."),
    Field("payment.date", _TEXT, "The day, such as '2026-11-22'."),
    Field("payment.month", _INT, "The month, 1 to 12."),
    Field("payment.day", _INT, "The day of the month, 1 to 31."),
    Field("payment.weekday", _INT, "The day of the week, 1 (Monday) to 7."),
    Field("payment.hour", _INT, "The hour, 0 to 23."),
    Field("payment.minute", _INT, "The minute of the hour, 0 to 59."),
    Field("customer.known", _BOOL, "Whether the till said who the customer is; if not, the other fields are null."),
    Field("customer.orders", _INT, "How many payments of this customer were captured before.", nullable=True),
    Field("customer.spent", _INT, "What the customer paid in all of them, in fen.", nullable=True),
    Field("customer.first_payment", _BOOL, "Whether this is the customer's first payment of all.", nullable=True),
    Field("customer.orders_on_wallet", _INT, "How many of them with this wallet.", nullable=True),
    Field("customer.orders_at_merchant", _INT, "How many of them at this merchant.", nullable=True),
    Field("customer.orders_with_bin", _INT, "How many of them with this bank's card (six digits).", nullable=True),
    Field("customer.days_since_first", _INT, "Whole days since the first payment; null without one.", nullable=True),
    Field("customer.days_since_last", _INT, "Whole days since the last payment; null without one.", nullable=True),
    Field("customer.segment", _TEXT, "'new', 'active', 'high_value' or 'sleeping' (see below).", nullable=True),
    Field("customer.segments", _TEXTS, "The segments that the manager put the customer in.", nullable=True),
    Field("customer.coupons", _TEXTS, "The campaigns of which the customer holds a coupon, 'cam_…'.", nullable=True),
)
"""Times are those of the campaign's time zone."""
DOMAINS: Final[Mapping[str, Sequence[Value]]] = {
    "payment.wallet": sorted(WALLETS),
    "payment.method": sorted(METHODS),
    "payment.month": range(1, 13),
    "payment.day": range(1, 32),
    "payment.weekday": range(1, 8),
    "payment.hour": range(24),
    "payment.minute": range(60),
    "customer.known": (False, True),
    "customer.first_payment": (False, True),
    "customer.segment": sorted(Segment),
}
"""All values of the fields that have few; null beside them, where a field can be."""
HISTORY_FIELDS: Final = frozenset(
    name for name in FIELDS.fields if name.startswith("customer.") and name != "customer.known"
)
"""What has to be read from the database."""


@lru_cache(_CACHED_MAX)
def condition(text: str) -> Expression:
    """A condition over these fields, remembered: of ten thousand campaigns few change at once, and many ask the same.

    Raises ExpressionError.
    """
    return check(text, FIELDS)


def values_of(facts: Facts, zone: ZoneInfo, asked: Container[str] = FIELDS.fields) -> dict[str, Value | None]:
    """The fields of one payment, as a campaign of that time zone sees them; of an unknown customer nothing is known.

    Of those that nobody has `asked` for, the ones that take time are left out.
    """
    values: dict[str, Value | None] = {
        "payment.amount": facts.amount_fen,
        "payment.wallet": facts.wallet,
        "payment.channel": facts.channel,
        "payment.method": facts.method,
        "payment.merchant_id": facts.merchant_id,
        "payment.store_id": facts.store_id,
        "payment.region": facts.region,
        "payment.category": facts.category,
        "payment.terminal_id": facts.terminal_id,
        "payment.card_bin": facts.card_bin,
        "payment.code": facts.code_id,
        "payment.coupons": facts.coupons,
        "customer.known": facts.customer is not None,
        **time_fields(facts.at, zone),
    }
    if facts.history is not None:
        _add_history(values, facts, facts.history, asked)
    return values


def segment_of(history: History, at: datetime) -> Segment:
    """Where the customer stands at that moment."""
    if history.orders == 0:
        return Segment.NEW
    if history.last_at is not None and (at - history.last_at).days >= SLEEPING_AFTER_DAYS:
        return Segment.SLEEPING
    if history.orders >= HIGH_VALUE_ORDERS and history.spent_fen >= HIGH_VALUE_SPENT_FEN:
        return Segment.HIGH_VALUE
    return Segment.ACTIVE


def _add_history(values: dict[str, Value | None], facts: Facts, history: History, asked: Container[str]) -> None:
    wallet, card_bin = facts.wallet, facts.card_bin
    values["customer.orders"] = history.orders
    values["customer.spent"] = history.spent_fen
    values["customer.first_payment"] = history.orders == 0
    values["customer.orders_on_wallet"] = None if wallet is None else history.orders_by_wallet.get(wallet, 0)
    values["customer.orders_at_merchant"] = history.orders_by_merchant.get(facts.merchant_id, 0)
    values["customer.orders_with_bin"] = (
        None if card_bin is None else history.orders_by_bin.get(card_bin[:BIN_DIGITS], 0)
    )
    values["customer.segments"] = history.segments
    values["customer.coupons"] = tuple([coupon.campaign_id for coupon in history.coupons])
    if "customer.days_since_first" in asked:
        values["customer.days_since_first"] = _days_since(history.first_at, facts.at)
    if "customer.days_since_last" in asked:
        values["customer.days_since_last"] = _days_since(history.last_at, facts.at)
    if "customer.segment" in asked:
        values["customer.segment"] = str(segment_of(history, facts.at))


def _days_since(moment: datetime | None, at: datetime) -> int | None:
    """Never below zero: the clocks of two processes differ."""
    return None if moment is None else max((at - moment).days, 0)
