"""A till's day as plain values: sums by till and wallet, and how they are held against the books; pure.

What a report counts is what its payments and refunds say; what the books say of the same ones is summed from their
postings alone.  Fees stand in the books only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta
from typing import Final, NamedTuple, Self, TypeVar
from zoneinfo import ZoneInfo

DAYS_MAX: Final = 31
_LONGEST: Final = timedelta(days=DAYS_MAX, hours=1)
"""A month's local days can hold an hour more than so many times twenty-four."""


class Period(NamedTuple):
    """From `start` until just before `end`."""

    start: datetime
    end: datetime

    @property
    def is_sound(self) -> bool:
        """Whether it has a length, and not more than a month's."""
        return timedelta(0) < self.end - self.start <= _LONGEST


class Till(NamedTuple):
    """Where it was sold; in a filter, None stands for every one."""

    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None


class Group(NamedTuple):
    """What is summed together: a till's payments with one wallet, and the refunds that were made at it."""

    till: Till
    wallet: str | None


@dataclass(frozen=True, slots=True)
class _Added:
    def __add__(self, other: Self) -> Self:
        return type(self)(*[getattr(self, f.name) + getattr(other, f.name) for f in fields(self)])


@dataclass(frozen=True, slots=True)
class Sums(_Added):
    """What succeeded, as payments and refunds say; fen."""

    payments: int = 0
    amount: int = 0
    payable: int = 0
    refunds: int = 0
    refunded: int = 0
    returned: int = 0
    fee_returned: int = 0

    @property
    def discount(self) -> int:
        """What the funders paid."""
        return self.amount - self.payable

    @property
    def discount_returned(self) -> int:
        """What the funders got back."""
        return self.refunded - self.returned

    @property
    def net(self) -> int:
        """What customers paid, less what they got back."""
        return self.payable - self.returned


@dataclass(frozen=True, slots=True)
class Books(_Added):
    """What the postings say; fen.  `merchant` is what the merchant is owed for all of it together.

    `fee_off` is what funders pay of the fees (手续费折扣), less what they got back.
    """

    captured: int = 0
    discount: int = 0
    fee: int = 0
    returned: int = 0
    discount_returned: int = 0
    fee_returned: int = 0
    fee_off: int = 0
    merchant: int = 0

    @classmethod
    def of(cls, kind: str, debit: str, credit: str, amount: int) -> Books:
        """What one kind of posting between two kinds of account says."""
        owed = amount * ((credit == _MERCHANT) - (debit == _MERCHANT))
        if kind not in _KINDS:  # no sale's and no refund's: where it concerns the merchant, the books do not agree
            return cls(merchant=owed)
        field, sign = _KINDS[kind]
        return cls(**{field: sign * amount}, merchant=owed)

    @property
    def fees(self) -> int:
        """What the channels keep."""
        return self.fee - self.fee_returned

    def agree_with(self, sums: Sums) -> bool:
        """Whether payments, refunds and postings say the same, and the merchant is owed what they come to."""
        owed = sums.amount - self.fee + self.fee_off - sums.refunded + sums.fee_returned
        ours = (sums.payable, sums.discount, sums.returned, sums.discount_returned, sums.fee_returned, owed)
        theirs = (
            self.captured,
            self.discount,
            self.returned,
            self.discount_returned,
            self.fee_returned,
            self.merchant,
        )
        return ours == theirs


@dataclass(frozen=True, slots=True)
class StatusSums:
    """How many payments (refunds) of a wallet stand in a state, and what they come to."""

    wallet: str | None
    status: str
    count: int
    amount: int
    customer: int
    """What the customer pays, or gets back."""


class PaymentLine(NamedTuple):
    """A payment in a list."""

    id: str
    created_at: datetime
    merchant_order_no: str
    status: str
    method: str
    wallet: str | None
    amount: int
    payable: int
    amount_refunded: int
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    account_id: str | None
    channel_trade_no: str | None
    reversal: str | None
    review: str | None


class RefundLine(NamedTuple):
    """A refund in a list."""

    id: str
    created_at: datetime
    payment_id: str
    merchant_refund_no: str
    merchant_order_no: str
    status: str
    method: str
    wallet: str | None
    amount: int
    returned_to_customer: int
    discount_returned: int
    fee_returned: int
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    account_id: str
    channel_refund_no: str | None
    review: str | None


class Lines(NamedTuple):
    """Payments and refunds in the order of their making, and whether there are more than these."""

    payments: tuple[PaymentLine, ...]
    refunds: tuple[RefundLine, ...]
    more_payments: bool = False
    more_refunds: bool = False


Key = TypeVar("Key", bound=Hashable)
Part = TypeVar("Part", Sums, Books)


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """Everything of one merchant, period and filter, read at one moment."""

    period: Period
    wanted: Till
    made_at: datetime
    sums: Mapping[Group, Sums]
    books: Mapping[Group, Books]
    payment_statuses: tuple[StatusSums, ...]
    refund_statuses: tuple[StatusSums, ...]
    lines: Lines
    open: Lines

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every till and wallet of which there is something to say, in order."""
        return tuple(sorted({*self.sums, *self.books}, key=_in_order))

    @property
    def agrees(self) -> bool:
        """Whether the books say the same, for every till and wallet."""
        nothing, no_books = Sums(), Books()
        return all(self.books.get(group, no_books).agree_with(self.sums.get(group, nothing)) for group in self.groups)

    def total(self) -> tuple[Sums, Books]:
        """All of it."""
        return sum(self.sums.values(), Sums()), sum(self.books.values(), Books())

    def by(self, key: Callable[[Group], Key]) -> dict[Key, tuple[Sums, Books]]:
        """The same, divided by what `key` makes of a till and wallet."""
        found: dict[Key, tuple[Sums, Books]] = {}
        for group in self.groups:
            sums, books = found.get(key(group), (Sums(), Books()))
            found[key(group)] = (sums + self.sums.get(group, Sums()), books + self.books.get(group, Books()))
        return found


def period_of(start: datetime | None, end: datetime | None, timezone: ZoneInfo, now: datetime) -> Period:
    """The period that is meant: where a bound is left out, the local day that the other one lies in; else today."""
    if start is None:
        start = _midnight(now if end is None else end - timedelta(microseconds=1), timezone)
    if end is None:
        end = _midnight(start, timezone, days_later=1)
    return Period(start.astimezone(UTC), end.astimezone(UTC))


def summed(rows: Iterable[tuple[Key, Part]]) -> dict[Key, Part]:
    """Adds up what stands under the same key."""
    found: dict[Key, Part] = {}
    for key, part in rows:
        found[key] = found[key] + part if key in found else part
    return found


def _midnight(moment: datetime, timezone: ZoneInfo, *, days_later: int = 0) -> datetime:
    day = moment.astimezone(timezone).date() + timedelta(days=days_later)
    return datetime.combine(day, time(), timezone)


def _in_order(group: Group) -> tuple[str, ...]:
    return tuple([part or "" for part in (*group.till, group.wallet)])


_MERCHANT: Final = "merchant_payable"
_KINDS: Final[Mapping[str, tuple[str, int]]] = {
    "capture": ("captured", 1),
    "capture_reversed": ("captured", -1),
    "discount": ("discount", 1),
    "discount_reversed": ("discount", -1),
    "fee": ("fee", 1),
    "fee_reversed": ("fee", -1),
    "fee_off": ("fee_off", 1),
    "fee_off_reversed": ("fee_off", -1),
    "refund_fee_off": ("fee_off", -1),
    "refund": ("returned", 1),
    "refund_discount": ("discount_returned", 1),
    "refund_fee": ("fee_returned", 1),
}
