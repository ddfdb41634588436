"""Plays a day of a paced campaign against a made-up demand: the law, the gate and the cap, without any store.

`python -m loadtests.parts.pacing FILE.svg` draws the picture of docs/campaigns.md; the tests of the law play days too.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from promotions.campaigns.campaign import PaceCurve, Pacing
from promotions.pacing.controller import TICK_S, Pace, Sight, granted_part, step
from promotions.pacing.curve import Curve
from promotions.pacing.gate import is_let_through

_CUSTOMERS: Final = 200_000
_SHOWN_CUSTOMERS: Final = 40_000
_EACH: Final = 500
_DAY: Final = date(2026, 11, 22)
_ZONE: Final = ZoneInfo("Asia/Shanghai")

LUNCH_AND_DINNER: Final = (2, 1, 1, 1, 1, 2, 8, 20, 25, 22, 28, 60, 80, 45, 30, 30, 35, 60, 80, 70, 50, 35, 18, 6)
"""Made up: a restaurant's customers by the hour."""


@dataclass(frozen=True, slots=True)
class Demand:
    """So many customers on the day, spread by weights of the hours; `rush` multiplies them at a second of the day."""

    customers: int
    by_hour: tuple[int, ...] = LUNCH_AND_DINNER
    rush: Callable[[float], float] = lambda _: 1.0

    def per_s(self, second: float) -> float:
        """Customers a second, from the middle of hour to the middle of the next in a straight line."""
        hour, part = divmod(second / 3_600, 1)
        weight = self.by_hour[int(hour) % 24] * (1 - part) + self.by_hour[int(hour + 1) % 24] * part
        return self.customers * weight / sum(self.by_hour) / 3_600 * self.rush(second)


@dataclass(slots=True)
class Played:
    """What became of the day: parts of its budget, and how the share moved."""

    used: int = 0
    ahead_max: float = 0.0
    behind_max: float = 0.0
    changes: int = 0
    turns: int = 0
    """How often the share began to rise after falling, or the other way round."""
    course: list[tuple[float, float, float, float]] = field(default_factory=list)
    """At each tick the hour, the part used, the part that the curve says, and the share."""


def play_day(
    pacing: Pacing, demand: Demand, budget: int, each: int, *, day: date, timezone: ZoneInfo, seed: int
) -> Played:
    """A day on which every customer let through takes `each` of the budget, while the cap leaves it."""
    chance, curve, played, pace, seen, rising = (
        random.Random(seed),
        Curve.of(pacing, day, timezone),
        Played(),
        Pace(),
        0,
        0,
    )
    begins, seconds = curve.moments[0], curve.ends_s - curve.moments[0]
    while (second := len(played.course) * TICK_S) < seconds:
        room = int(granted_part(begins + second, curve) * budget)
        for _ in range(_arrivals(chance, demand.per_s(second) * TICK_S)):
            who = str(chance.randrange(_CUSTOMERS))
            if is_let_through("played", day, who, pace.share) and played.used + each <= room:
                played.used += each
        now = begins + second + TICK_S
        after = step(pace, Sight(now, TICK_S, played.used, played.used - seen, budget), curve)
        seen, rising = played.used, _note(played, pace.share, after.share, rising)
        pace = after
        _measure(played, second, curve.by(now), played.used / budget, pace.share)
    return played


def _note(played: Played, before: float, after: float, rising: int) -> int:
    if before == after:
        return rising
    played.changes += 1
    direction = 1 if after > before else -1
    played.turns += rising == -direction
    return direction


def _measure(played: Played, second: float, wanted: float, used: float, share: float) -> None:
    played.ahead_max = max(played.ahead_max, used - wanted)
    played.behind_max = max(played.behind_max, wanted - used)
    played.course.append((second / 3_600, used, wanted, share))


def _arrivals(chance: random.Random, mean: float) -> int:
    """Poisson's distribution."""
    count, product, least = 0, chance.random(), math.exp(-mean)
    while product > least:
        count, product = count + 1, product * chance.random()
    return count


def draw(path: Path) -> None:
    """Three days beside each other: what was spent and what the curve says, with the share of customers below."""
    import matplotlib.pyplot as plt  # noqa: PLC0415  an extra, and slow to import

    shape = Pacing(PaceCurve.SHAPE, tuple(map(float, LUNCH_AND_DINNER)))
    even = Pacing(PaceCurve.EVEN, (1.0,) * 24)
    days = (
        ("hourly shape, demand 3 × the budget", shape, Demand(_SHOWN_CUSTOMERS)),
        ("the same, ten times the customers from 12:00 to 12:30", shape, Demand(_SHOWN_CUSTOMERS, rush=_noon_rush)),
        ("even curve, hardly anybody at night", even, Demand(_SHOWN_CUSTOMERS)),
    )
    figure, axes = plt.subplots(
        2, len(days), figsize=(15, 5.6), sharex=True, sharey="row", height_ratios=(3, 1), layout="constrained"
    )
    for (spend, door), (title, pacing, demand) in zip(axes.T, days, strict=True):
        budget = _SHOWN_CUSTOMERS * _EACH // 3
        course = play_day(pacing, demand, budget, _EACH, day=_DAY, timezone=_ZONE, seed=1).course
        hours, used, wanted, share = zip(*course, strict=True)
        curve = Curve.of(pacing, _DAY, _ZONE)
        capped = [granted_part(curve.moments[0] + hour * 3_600, curve) for hour in hours]
        spend.fill_between(hours, wanted, capped, color="#d9e6f2", label="may be granted")
        spend.plot(hours, wanted, color="#888888", linestyle="--", label="curve")
        spend.plot(hours, used, color="#d6402b", label="spent")
        spend.set_title(title, fontsize=11)
        door.step(hours, share, color="#1f5f99")
        door.set_xlabel("hour")
        door.set_xticks(range(0, 25, 3))
    axes[0][0].set_ylabel("part of the day's budget")
    axes[0][0].legend(loc="upper left")
    axes[1][0].set_ylabel("share of customers")
    figure.savefig(path, dpi=100)


def _noon_rush(second: float) -> float:
    return 10.0 if 12 * 3_600 <= second < 12.5 * 3_600 else 1.0


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
