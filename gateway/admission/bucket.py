"""A token bucket: so many a second in the long run, so many at once; pure."""

from __future__ import annotations

import math


class TokenBucket:
    """Full at the beginning.  `now` is of the monotonic clock, in seconds; one that runs backwards adds nothing."""

    __slots__ = ("_at", "_tokens", "burst", "per_s")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        assert per_s > 0, "a bucket that is never filled refuses for ever"
        assert burst >= 1, "nor does one that holds no whole token ever give one"
        self.per_s = per_s
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token; False where there is none."""
        self._fill(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def give_back(self) -> None:
        """The token that was taken was not used."""
        self._tokens = min(self.burst, self._tokens + 1.0)

    def resize(self, per_s: float, burst: float, now: float) -> None:
        """Go on with another rate and burst; what is there beyond the burst is lost."""
        self._fill(now)
        self.per_s, self.burst = per_s, burst
        self._tokens = min(self._tokens, burst)

    def remaining(self, now: float) -> int:
        """Whole tokens that could be taken now."""
        self._fill(now)
        return int(self._tokens)

    def next_s(self, now: float) -> int:
        """Whole seconds, rounded up, until there is a token; at least one."""
        self._fill(now)
        return max(1, math.ceil((1.0 - self._tokens) / self.per_s))

    def full_s(self, now: float) -> int:
        """Whole seconds, rounded up, until the bucket is full."""
        self._fill(now)
        return math.ceil((self.burst - self._tokens) / self.per_s)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.per_s)
            self._at = now
