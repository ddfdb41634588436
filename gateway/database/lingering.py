"""How long the next batch waits for company: pure, so that the capacity simulation decides by the same code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SMOOTHING: Final = 0.1
"""Weight of the newest observation in the moving averages of arrival gap and commit time."""


@dataclass(slots=True)
class Lingering:
    """Moving averages of what arrives and of what a commit takes; all in seconds of one clock that never goes back."""

    linger_s_max: float
    last_arrival_s: float
    gap_s: float = 1.0
    commit_s: float = 0.002

    def arrived(self, now_s: float) -> None:
        """Note one row."""
        self.gap_s += _SMOOTHING * (min(now_s - self.last_arrival_s, 1.0) - self.gap_s)
        self.last_arrival_s = now_s

    def took(self, seconds: float) -> None:
        """Note one batch, from sending to its answer."""
        self.commit_s += _SMOOTHING * (seconds - self.commit_s)

    @property
    def linger_s(self) -> float:
        """Not at all unless a commit's time brings two more rows."""
        expected = self.commit_s / max(self.gap_s, 1e-6)
        return 0.0 if expected < 2.0 else self.linger_s_max
