"""How many payments may be on their way to a durable intent at once: learned from the time that this takes us; pure.

Only our own time counts: from the moment a payment is admitted until its intent is durable, and how late the event loop
is.  What a channel takes comes after that and says nothing about us.

By Little's law a limit of L bounds that time to L / throughput.  The limit is multiplied by target / time where the
time is above its target (at most halved, as in Netflix's Gradient2), and grows by its square root where it is below and
the limit is in use.  The target is a fixed time, or twice what payments take here that meet hardly any others, if that
is more: a far-off database must not look like a crowd.  Docs: docs/decisions/0029-admission.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 0.1
_SAMPLES_MIN: Final = 8
_FEW: Final = 4
_TOLERANCE: Final = 2.0
_TARGET_S_MAX: Final = 0.5
_GRADIENT_MIN: Final = 0.5
_QUICKER: Final = 0.3
_SLOWER: Final = 0.02
"""Weights of a new observation in the undisturbed time: good news is believed at once, bad news slowly."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limit stays within `lowest` and `highest` and begins at `first`; `target_s` is the time that is aimed at."""

    lowest: int
    highest: int
    first: int
    target_s: float


class AdaptiveLimit:
    """One per process.  `value` is the limit now; times are of the monotonic clock, in seconds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.value = min(max(bounds.first, bounds.lowest), bounds.highest)
        self.own_s = 0.0
        """The mean time of the last window, with the event loop's lateness."""
        self._undisturbed_s: float | None = None
        self._total_s, self._count = 0.0, 0
        self._alone_s, self._alone_count = 0.0, 0
        self._next_at = 0.0

    @property
    def target_s(self) -> float:
        """The time that is aimed at now."""
        return max(self._bounds.target_s, min(_TARGET_S_MAX, _TOLERANCE * (self._undisturbed_s or 0.0)))

    @property
    def few(self) -> int:
        """With no more than so many others under way, a payment's time is what it takes undisturbed."""
        return self.value if self.value == self._bounds.lowest else min(_FEW, self.value // 4)

    def observe(self, own_s: float, others: int) -> None:
        """A payment's intent is durable: so long after it was admitted, when so many others were under way."""
        self._total_s += own_s
        self._count += 1
        if others <= self.few:
            self._alone_s += own_s
            self._alone_count += 1

    def step(self, now: float, lag_s: float, peak: int) -> bool:
        """Move the limit where enough was observed; `peak` is the most that were under way since the last move.

        True where a window ended.  A move is not judged before the payments that it met are through.
        """
        if now < self._next_at or self._count < _SAMPLES_MIN:
            return False
        self.own_s = self._total_s / self._count + lag_s
        self._learn(lag_s)
        if 2 * peak >= self.value:  # a limit that is not in use says nothing, and neither does the time
            self.value = self._moved(peak)
        self._total_s, self._count, self._alone_s, self._alone_count = 0.0, 0, 0.0, 0
        self._next_at = now + max(WINDOW_S, self.own_s)
        return True

    def _moved(self, peak: int) -> int:
        bounds, target_s = self._bounds, self.target_s
        if self.own_s <= target_s:
            return min(bounds.highest, self.value + max(1, math.isqrt(self.value)))
        gradient = max(_GRADIENT_MIN, target_s / self.own_s)
        return max(bounds.lowest, min(bounds.highest, int(min(self.value, max(peak, 1)) * gradient)))

    def _learn(self, lag_s: float) -> None:
        if not self._alone_count:
            return
        seen_s = self._alone_s / self._alone_count + lag_s
        if self._undisturbed_s is None:
            self._undisturbed_s = seen_s
        else:
            weight = _QUICKER if seen_s < self._undisturbed_s else _SLOWER
            self._undisturbed_s += weight * (seen_s - self._undisturbed_s)
