"""The database's time in this process, learnt from the times that its answers carry: no call of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

WINDOW_S: Final = 10.0
"""Of the answers of one or two such windows, the one that was quickest says what the offset is."""


class DatabaseClock:
    """Campaigns begin, end and change their day by the database's clock, whatever this machine's says.

    An answer is always a little older than the moment at which it is read, never newer: so the highest offset from the
    monotonic clock that was seen lately is the best one.  A database whose clock is set back is followed within two
    windows; one that is ahead, at once.  Nothing here waits or asks.
    """

    __slots__ = ("_before_s", "_highest_s", "_monotonic", "_window_ends_s")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._before_s: float | None = None
        self._highest_s: float | None = None
        self._window_ends_s = 0.0

    def heard(self, at: datetime) -> None:
        """The database said (just now) that it is `at` (aware)."""
        now_s = self._monotonic()
        offset_s = at.timestamp() - now_s
        if now_s >= self._window_ends_s:
            long_ago = now_s >= self._window_ends_s + WINDOW_S
            self._before_s = None if long_ago else self._highest_s
            self._highest_s = offset_s
            self._window_ends_s = now_s + WINDOW_S
        elif self._highest_s is None or offset_s > self._highest_s:
            self._highest_s = offset_s

    def forget(self) -> None:
        """What was heard so far is in doubt: the next answer is believed whatever it says."""
        self._before_s = self._highest_s = None

    def now(self) -> datetime:
        """The database's time, aware and in UTC; this machine's as long as nothing was heard."""
        if self._highest_s is None:
            return datetime.now(UTC)
        offset_s = self._highest_s if self._before_s is None else max(self._highest_s, self._before_s)
        return datetime.fromtimestamp(self._monotonic() + offset_s, UTC)
