"""When an account takes payments: the opening hours of a week, in its time zone, and announced maintenance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

EVERY_DAY: Final = frozenset(range(1, 8))
"""ISO weekdays: 1 is Monday."""
_DAYS_IN_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class OpenTime:
    """From a minute of the day to another, on some weekdays; where the end is not after the beginning, overnight.

    The weekday is that of the beginning: 22:00–02:00 on Friday ends early on Saturday.
    """

    days: frozenset[int]
    from_minute: int
    until_minute: int

    def covers(self, weekday: int, minute: int) -> bool:
        """Whether that minute of that ISO weekday is in it."""
        if self.from_minute < self.until_minute:
            return weekday in self.days and self.from_minute <= minute < self.until_minute
        yesterday = (weekday - 2) % _DAYS_IN_WEEK + 1
        return (weekday in self.days and minute >= self.from_minute) or (
            yesterday in self.days and minute < self.until_minute
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours.  Outside all of them the account takes nothing."""

    zone: ZoneInfo
    open: tuple[OpenTime, ...]

    def is_open(self, at: datetime) -> bool:
        """Whether payments are taken at that moment."""
        local = at.astimezone(self.zone)
        weekday, minute = local.isoweekday(), local.hour * 60 + local.minute
        return any(each.covers(weekday, minute) for each in self.open)

    def boundaries(self, at: datetime) -> Iterator[datetime]:
        """The moments at which it may open or close, of that day, the one before and the next."""
        midnight = at.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        for days in (-1, 0, 1):
            day = midnight + timedelta(days=days)
            yield day
            for each in self.open:
                yield day + timedelta(minutes=each.from_minute)
                yield day + timedelta(minutes=each.until_minute)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A time in which the account takes nothing; `since` is in it, `until` is not."""

    since: datetime
    until: datetime
    note: str = ""

    def covers(self, at: datetime) -> bool:
        """Whether that moment is in it."""
        return self.since <= at < self.until
