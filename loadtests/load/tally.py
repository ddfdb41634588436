"""What the tills counted: ends of payments, errors, refusals, answer times, by the second; adds up.

Answer times are kept in buckets 4 % apart, so tallies of any size are small, add up exactly, and give percentiles that
are right to 2 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

LATE_MS: Final = 20.0
"""An arrival that begins later than so is counted late: Locust was behind, not the gateway."""
_GROWTH: Final = math.log(1.04)
_SMALLEST_MS: Final = 0.1
_ERRORS_KEPT: Final = 200
"""Different texts of errors; what is beyond counts under the last."""
_OTHER: Final = "other errors"


class Kind(StrEnum):
    """The requests, as tables and Locust's page name them."""

    PAY = "pay by bar code"
    PIN = "pay by bar code, PIN"
    SHOW = "show a code"
    SCAN = "customer scans"
    POLL = "poll"
    QUOTE = "quote"
    CLAIM = "claim a coupon"
    REPEAT = "the same again"
    MISTAKE = "changed by mistake"
    CANCEL = "cancel"
    REFUND = "refund"
    LOOK_UP = "look up"
    LIST = "list"
    SEARCH = "search"


class End(StrEnum):
    """How a payment ended for the till."""

    PAID = "paid"
    DECLINED = "declined"
    """By the wallet, the risk check or the price, as it is to be."""
    CANCELLED = "cancelled"
    """The customer left, and the till cancelled."""
    GIVEN_UP = "given up"
    """Refused (429, 503) as often as a till tries."""
    FAILED = "failed"
    """It should have been paid, or should not: an error."""


def bucket_of(ms: float) -> int:
    """The number of the bucket that an answer time falls into."""
    return max(0, math.ceil(math.log(max(ms, _SMALLEST_MS) / _SMALLEST_MS) / _GROWTH))


def middle_ms(bucket: int) -> float:
    """The answer time in the middle of a bucket."""
    return _SMALLEST_MS * math.exp((bucket - 0.5) * _GROWTH)


def percentile_ms(buckets: Mapping[int, int], percent: float) -> float:
    """The answer time that so many percent did not exceed; 0 where there is none."""
    wanted, seen = sum(buckets.values()) * percent / 100, 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= wanted:
            return middle_ms(bucket)
    return 0.0


@dataclass(slots=True)
class Second:
    """What happened in one second of the wall clock, or in several that were added up."""

    ends: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """By HTTP status."""
    errors: int = 0
    arrived: int = 0
    """Customers who came."""
    late: int = 0
    """Of them, those whom the generator could not serve when they came."""
    late_ms_max: float = 0.0
    answers: dict[str, Counter[int]] = field(default_factory=dict)
    """Answer times in buckets, by kind."""

    @property
    def paid(self) -> int:
        """Payments that succeeded."""
        return self.ends[End.PAID]

    def percentile_ms(self, percent: float, kind: Kind = Kind.PAY) -> float:
        """Of the answers of a kind."""
        return percentile_ms(self.answers.get(kind, {}), percent)

    def add(self, other: Second) -> Self:
        """Take in what another counted."""
        self.ends.update(other.ends)
        self.refused.update(other.refused)
        self.errors += other.errors
        self.arrived += other.arrived
        self.late += other.late
        self.late_ms_max = max(self.late_ms_max, other.late_ms_max)
        for kind, buckets in other.answers.items():
            self.answers.setdefault(kind, Counter()).update(buckets)
        return self

    def to_json(self) -> dict[str, Any]:
        """As it travels between Locust's processes."""
        return {
            "ends": {str(end): count for end, count in self.ends.items()},
            "refused": dict(self.refused),
            "errors": self.errors,
            "arrived": self.arrived,
            "late": self.late,
            "late_ms_max": self.late_ms_max,
            "answers": {
                str(kind): {str(bucket): n for bucket, n in some.items()} for kind, some in self.answers.items()
            },
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Second:
        """Of what `to_json` gave."""
        return cls(
            Counter(document["ends"]),
            Counter(document["refused"]),
            document["errors"],
            document["arrived"],
            document["late"],
            document["late_ms_max"],
            {kind: Counter({int(b): n for b, n in some.items()}) for kind, some in document["answers"].items()},
        )


def added(seconds: Iterable[Second]) -> Second:
    """All of them together."""
    total = Second()
    for second in seconds:
        total.add(second)
    return total


@dataclass(slots=True)
class Tally:
    """A process's, or those of all together.  `open` is how many customers are being served."""

    seconds: dict[int, Second] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    """By what went wrong."""
    sales: Counter[str] = field(default_factory=Counter)
    """New payments by wallet and method, such as `wechat barcode`: shows the mix as it came out."""
    open: int = 0

    def at(self, now_s: float) -> Second:
        """The second of that moment."""
        return self.seconds.setdefault(int(now_s), Second())

    def answered(self, now_s: float, kind: Kind, ms: float) -> None:
        """Count an answer."""
        self.at(now_s).answers.setdefault(kind, Counter())[bucket_of(ms)] += 1

    def failed(self, now_s: float, what: str) -> None:
        """Count an error."""
        self.at(now_s).errors += 1
        self.errors[what if what in self.errors or len(self.errors) < _ERRORS_KEPT else _OTHER] += 1

    def came(self, now_s: float, late_ms: float) -> None:
        """Count a customer who came, and how late he was served."""
        second = self.at(now_s)
        second.arrived += 1
        second.late += late_ms > LATE_MS
        second.late_ms_max = max(second.late_ms_max, late_ms)

    def add(self, other: Tally) -> None:
        """Take in what another process counted; `open` is left as it is, for it is no sum over time."""
        for moment, second in other.seconds.items():
            self.seconds.setdefault(moment, Second()).add(second)
        self.errors.update(other.errors)
        self.sales.update(other.sales)

    def between(self, from_s: float, to_s: float) -> Second:
        """All whole seconds that lie between two moments."""
        return added(self.seconds[at] for at in range(math.ceil(from_s), int(to_s)) if at in self.seconds)

    def paid_between(self, from_s: float, to_s: float) -> float:
        """Payments that succeeded between two moments; of the seconds at both ends as much as lies inside."""
        return sum(second.paid * max(0.0, min(to_s, at + 1) - max(from_s, at)) for at, second in self.seconds.items())

    def total(self) -> Second:
        """All of it."""
        return added(self.seconds.values())

    def taken(self) -> dict[str, Any]:
        """What was counted since the last time, to be sent on; it is counted anew from here."""
        document = self.to_json()
        self.seconds, self.errors, self.sales = {}, Counter(), Counter()
        return document

    def to_json(self) -> dict[str, Any]:
        """As it travels, and as the report reads it."""
        return {
            "seconds": {str(moment): second.to_json() for moment, second in self.seconds.items()},
            "errors": dict(self.errors),
            "sales": dict(self.sales),
            "open": self.open,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Tally:
        """Of what `to_json` or `taken` gave."""
        return cls(
            {int(moment): Second.from_json(second) for moment, second in document["seconds"].items()},
            Counter(document["errors"]),
            Counter(document["sales"]),
            document["open"],
        )
