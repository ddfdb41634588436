"""What a payment takes of campaigns, as the intent statement has it: rows, arrays, and what PostgreSQL says no to.

The function `take_redemptions` guards it all, exactly, whatever anybody believed before (migrations/0006_guards.sql).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final, NamedTuple


class RefusalKind(StrEnum):
    """Why PostgreSQL refuses what a payment wants of a campaign."""

    EXHAUSTED = "exhausted"
    """The slice has not so much left."""
    LIMIT = "limit"
    """One customer, device, store, merchant, region or code has had its share."""
    CHANGED = "changed"
    """The campaign is not active, not at its dates, or not of this version (any more)."""
    NO_SLICE = "no_slice"
    """Nothing is granted to that slice of that day yet."""
    OTHER_DAY = "other_day"
    """The day is not the campaign's present one by the database's clock."""
    COUPON = "coupon"
    """The coupon is not the customer's, or was redeemed, is expired or void."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The campaign that gives nothing, why, and what is left there for others (None: nothing is said, or no limit)."""

    campaign_id: str
    kind: RefusalKind
    room_fen: int | None = None
    room_count: int | None = None


class UseRow(NamedTuple):
    """A counter that a redemption counts in, and how far it may go (None: as far as it likes)."""

    scope: str
    key: str
    day: date
    count_max: int | None
    fen_max: int | None


class RedemptionRow(NamedTuple):
    """What a payment takes of one campaign: a tuple, for the fields stand in the order of the statement's arrays.

    `funding` and `uses` are JSON as they are stored; the counters, its last field, go in arrays of their own.
    """

    campaign_id: str
    version: int
    name: str
    day: date
    slice: int | None
    discount: int
    fee_off: int
    funding: str
    uses: str | None
    coupon_id: str | None
    rewards: bool
    returns_budget: bool
    returns_limits: bool
    new_customer: bool | None
    counters: tuple[UseRow, ...] = ()


class Taking(NamedTuple):
    """Whose redemptions: the payment, and what its guards look at."""

    payment_id: str
    merchant_id: str
    merchant_order_no: str
    customer: bytes | None
    redemptions: tuple[RedemptionRow, ...]


_REDEMPTION_ARRAYS: Final = 5 + len(RedemptionRow._fields) - 1
_COUNTER_ARRAYS: Final = 8
NOTHING_TAKEN: Final[Sequence[Any]] = (None,) * (_REDEMPTION_ARRAYS + _COUNTER_ARRAYS)
"""The arguments of a batch without redemptions: the statement then calls no function."""


def taking_arguments(takings: Sequence[Taking]) -> Sequence[Any]:
    """The arrays of a batch in which something is taken: one redemption each, and after them one counter each."""
    redemptions = list(zip(*_redemptions(takings), strict=True))
    counters = list(zip(*_counters(takings), strict=True))
    return [*redemptions, *(counters or [()] * _COUNTER_ARRAYS)]


def _redemptions(takings: Sequence[Taking]) -> Iterator[tuple[Any, ...]]:
    for payment_id, merchant_id, order_no, customer, redemptions in takings:
        for seq, row in enumerate(redemptions, 1):
            yield (payment_id, merchant_id, order_no, customer, seq, *row[:-1])


def _counters(takings: Sequence[Taking]) -> Iterator[tuple[Any, ...]]:
    for taking in takings:
        for row in taking.redemptions:
            fen = row.discount + row.fee_off
            for scope, key, day, count_max, fen_max in row.counters:
                yield (taking.payment_id, row.campaign_id, scope, key, day, fen, count_max, fen_max)
