"""Which payments an audit covers: all of them, or those of some days of Beijing, which then are walked day by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from gateway.audit.rows import LAST
from gateway.kernel.clock import BEIJING
from gateway.kernel.ids import first_ulid_at

_DAY: Final = timedelta(days=1)


class Bounds(NamedTuple):
    """Ids above `after` up to `to`."""

    after: str
    to: str


@dataclass(frozen=True, slots=True)
class Days:
    """From the beginning of the first to the end of the last."""

    first: date
    last: date

    def each(self) -> Iterator[Days]:
        """One after the other."""
        for number in range((self.last - self.first).days + 1):
            day = self.first + number * _DAY
            yield Days(day, day)

    def widened(self) -> Days:
        """With a day before and a day after: whatever counts for a day, in any time zone, was paid in these."""
        return Days(self.first - _DAY, self.last + _DAY)

    @property
    def begin(self) -> datetime:
        """The first instant."""
        return datetime.combine(self.first, time(), BEIJING)

    @property
    def end(self) -> datetime:
        """The first instant after."""
        return datetime.combine(self.last + _DAY, time(), BEIJING)


def bounds(days: Days | None, prefix: str = "pay_") -> Bounds:
    """The ids that were made in these days; None for all days."""
    if days is None:
        return Bounds("", LAST)
    return Bounds(prefix + first_ulid_at(days.begin), prefix + first_ulid_at(days.end))
