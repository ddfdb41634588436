"""The curve of a day: which part of its budget should be spent by a moment.

Each hour of the clock has a weight, and each minute of it the same part of that weight.  A day is counted in real time,
so that one of 23 or 25 hours (daylight saving) comes to 1 as well: an hour that the clock shows twice counts twice.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final, Self
from zoneinfo import ZoneInfo

from promotions.campaigns.campaign import Pacing

_STEP: Final = timedelta(minutes=15)
"""Zones differ by multiples of a quarter of an hour: within a step the hour of the clock stays the same."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One day of one campaign.  `moments` are Unix seconds, `sums` the parts spent by then: from 0 to 1."""

    moments: tuple[float, ...]
    sums: tuple[float, ...]

    @classmethod
    def of(
        cls,
        pacing: Pacing,
        day: date,
        timezone: ZoneInfo,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> Self:
        """The curve of a day; a campaign that starts or ends within it spends all of it in its own part.

        Where the weights of that part are all 0, it is spent evenly.
        """
        first, last = day_bounds(day, timezone)
        first = max(first, starts_at.astimezone(UTC)) if starts_at is not None else first
        last = min(last, ends_at.astimezone(UTC)) if ends_at is not None else last
        if last <= first:
            return cls((first.timestamp(), first.timestamp() + 1), (0.0, 1.0))
        edges = _edges(first, last)
        weights = _weights(pacing.shape, edges, timezone)
        if not sum(weights):
            weights = _weights((1.0,) * 24, edges, timezone)
        total, sums = sum(weights), [0.0]
        for weight in weights:
            sums.append(sums[-1] + weight / total)
        sums[-1] = 1.0
        return cls(tuple([edge.timestamp() for edge in edges]), tuple(sums))

    @property
    def ends_s(self) -> float:
        """When all of it should be spent, in Unix seconds."""
        return self.moments[-1]

    def by(self, unix_s: float) -> float:
        """The part that should be spent by then."""
        if unix_s <= self.moments[0]:
            return 0.0
        if unix_s >= self.moments[-1]:
            return 1.0
        place = bisect_right(self.moments, unix_s) - 1
        began, ends = self.moments[place], self.moments[place + 1]
        low, high = self.sums[place], self.sums[place + 1]
        return low + (high - low) * (unix_s - began) / (ends - began)


def day_bounds(day: date, timezone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a day begins and ends in a time zone, in UTC."""
    begins = datetime.combine(day, time(), timezone)
    ends = datetime.combine(day + timedelta(days=1), time(), timezone)
    return begins.astimezone(UTC), ends.astimezone(UTC)


def _edges(first: datetime, last: datetime) -> list[datetime]:
    """From first to last in quarters of an hour of UTC."""
    edges = [first]
    quarter = datetime.fromtimestamp(first.timestamp() // _STEP.total_seconds() * _STEP.total_seconds(), UTC)
    while (quarter := quarter + _STEP) < last:
        edges.append(quarter)
    return [*edges, last]


def _weights(shape: tuple[float, ...], edges: list[datetime], timezone: ZoneInfo) -> list[float]:
    return [shape[began.astimezone(timezone).hour] * (ends - began).total_seconds() for began, ends in pairwise(edges)]
