"""Clocks: wall time in UTC, the channels' Beijing time, and deadlines on the monotonic clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from gateway.kernel.values import value

BEIJING: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""All three channels write their times in Beijing time, which has no summer time."""


def utc_now() -> datetime:
    """The wall clock.  For stamps only: leases use database time, deadlines the monotonic clock."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, as the API writes times: `2026-11-22T01:02:03.004Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@value
class Deadline:
    """A moment on the monotonic clock by which an answer is due."""

    at_monotonic_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds left; never below zero."""
        return max(0.0, self.at_monotonic_s - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self.at_monotonic_s
