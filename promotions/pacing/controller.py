"""The law of pacing: from what was spent to the share of customers to let through; pure.

Every few seconds, for each paced campaign:

1. *Demand.*  What it would spend in a second with everybody let through is estimated from what it did spend under the
   shares it had: D = Σ spent ÷ Σ (share × seconds), both fading with e^(−age ÷ MEMORY_S).
2. *Wish.*  To be on its curve in HORIZON_S (near the end of the day: in what is left of it), it should spend by then
   W = curve(now + horizon) × budget − used.
3. *Share.*  W ÷ (D × horizon), between SHARE_MIN and 1; or 1 where there is no demand to be seen.
4. *Hysteresis.*  The share stays as it is while the spend that it leads to, share × D × horizon, is within BAND of W or
   within QUIET of the day's budget; and it moves by at most STEP_MAX at once: a redemption more or less changes
   nothing, and a burst does not shut the door.

Besides, no more of the day's budget is granted than curve(now + LEAD_S): whatever comes within a few seconds, that is
the most that can be gone (keeping.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from promotions.pacing.curve import Curve

TICK_S: Final = 5.0
MEMORY_S: Final = 900.0
HORIZON_S: Final = 1_200.0
HORIZON_S_MIN: Final = 120.0
LEAD_S: Final = 2_700.0
GRANT_STEPS: Final = 200
"""Grants rise by half a percent of the day's budget: each rise holds the campaign's slices for a moment."""
BAND: Final = 0.15
QUIET: Final = 0.005
STEP_MAX: Final = 1.5
SHARE_MIN: Final = 0.002
"""Never nobody: without anybody let through, nothing would tell that the demand has fallen."""
_EXPOSED_S_MIN: Final = 0.05
"""Below so many seconds of everybody let through, nothing can be said of the demand."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a campaign's pacing stands.  `spent` and `exposed_s` are the fading sums of the estimate."""

    share: float = 1.0
    spent: float = 0.0
    exposed_s: float = 0.0

    @property
    def demand(self) -> float | None:
        """What it would spend in a second with everybody let through; None where it is not known."""
        return self.spent / self.exposed_s if self.exposed_s >= _EXPOSED_S_MIN else None


@dataclass(frozen=True, slots=True)
class Sight:
    """One look: `used` of the day's `budget` (both fen, or both in redemptions), and `taken` since the last look."""

    unix_s: float
    elapsed_s: float
    used: int
    taken: int
    budget: int


def step(pace: Pace, sight: Sight, curve: Curve) -> Pace:
    """One step of the law."""
    fade = math.exp(-sight.elapsed_s / MEMORY_S)
    spent = pace.spent * fade + max(0, sight.taken)
    exposed_s = pace.exposed_s * fade + pace.share * sight.elapsed_s
    seen = Pace(pace.share, spent, exposed_s)
    return Pace(_share(seen, sight, curve), spent, exposed_s)


def granted_part(unix_s: float, curve: Curve) -> float:
    """Which part of the day's budget may be granted by then, in steps."""
    return math.ceil(curve.by(unix_s + LEAD_S) * GRANT_STEPS) / GRANT_STEPS


def _share(seen: Pace, sight: Sight, curve: Curve) -> float:
    horizon_s = min(HORIZON_S, max(HORIZON_S_MIN, curve.ends_s - sight.unix_s))
    wish = curve.by(sight.unix_s + horizon_s) * sight.budget - sight.used
    demand = (seen.demand or 0.0) * horizon_s
    wanted = min(1.0, max(SHARE_MIN, wish / demand)) if demand else (1.0 if wish > 0 else SHARE_MIN)
    off = abs(wish - seen.share * demand)
    if off <= max(BAND * wish, QUIET * sight.budget):
        return seen.share
    return min(max(wanted, seen.share / STEP_MAX), seen.share * STEP_MAX, 1.0)
