"""Finds the knee of a climb: the last step before answers slow down, goodput bends, or customers are refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.load.shapes import Climb
from loadtests.load.tally import Kind, Second, Tally

P50_TIMES: Final = 2.0
P95_TIMES: Final = 3.0
GOODPUT_LEAST: Final = 0.75
REFUSED_MOST: Final = 0.05
BENT_STEPS: Final = 2
ANSWERS_LEAST: Final = 20
"""A step with fewer is neither judged nor a measure for others."""
_GRACE_MS: Final = 20.0
"""So much slower is no bend, however fast the first step was."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a climb as measured; times of payments by bar code, the customer's PIN left out."""

    level: int
    paid_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    refused_share: float
    """Refusals for each customer who came; one may be refused several times."""
    answers: int
    """Of payments by bar code: what the times are of."""

    @property
    def paid_per_level(self) -> float:
        """Payments a second for each till, or for each customer a second."""
        return self.paid_per_s / self.level


@dataclass(frozen=True, slots=True)
class Knee:
    """What a climb found; `bends` says why it stopped there, and is empty where it came to its top without a bend."""

    knee: Step | None
    steps: list[Step]
    bends: list[str]

    @property
    def found(self) -> bool:
        """Whether it climbed past the knee."""
        return bool(self.bends)


def step_of(level: int, seconds: float, counted: Second) -> Step:
    """The figures of a step."""
    return Step(
        level=level,
        paid_per_s=counted.paid / seconds,
        p50_ms=counted.percentile_ms(50),
        p95_ms=counted.percentile_ms(95),
        p99_ms=counted.percentile_ms(99),
        refused_share=sum(counted.refused.values()) / max(1, counted.arrived),
        answers=counted.answers[Kind.PAY].total() if Kind.PAY in counted.answers else 0,
    )


def steps_of(climb: Climb, tally: Tally, began_s: float, until_s: float) -> list[Step]:
    """The figures of the steps that were over at a moment; moments are of the wall clock, in s.

    The first second of a step is still the one before's, and only whole seconds of the clock are known.
    """
    steps = []
    for number in range(min(len(climb.levels), int(max(0.0, until_s - began_s) / climb.step_s))):
        ends_s = began_s + (number + 1) * climb.step_s
        first, end = math.ceil(ends_s - climb.step_s + 1), math.floor(ends_s)
        steps.append(step_of(climb.levels[number], end - first, tally.between(first, end)))
    return steps


def bends_of(steps: Sequence[Step]) -> list[str]:
    """How the last step is worse than those before it; nothing where it is not, or where too little is known of it."""
    known, last = [step for step in steps if step.answers >= ANSWERS_LEAST], steps[-1]
    if last not in known:
        return []
    first, best = known[0], max(step.paid_per_level for step in known)
    found = []
    if last.p50_ms > P50_TIMES * first.p50_ms + _GRACE_MS:
        found.append(f"median answer {last.p50_ms:.0f} ms, at first {first.p50_ms:.0f} ms")
    if last.p95_ms > P95_TIMES * first.p95_ms + _GRACE_MS:
        found.append(f"95 % of the answers within {last.p95_ms:.0f} ms, at first {first.p95_ms:.0f} ms")
    if last.paid_per_level < GOODPUT_LEAST * best:
        found.append(f"{last.paid_per_s:.0f} payments/s, {last.paid_per_level / best:.0%} of the best yield")
    if last.refused_share > REFUSED_MOST:
        found.append(f"{100 * last.refused_share:.0f} refusals for 100 customers")
    return found


def judge(steps: Sequence[Step]) -> Knee:
    """The knee of what was climbed so far: two bent steps in a row prove it, one alone may be chance."""
    bent: list[str] = []
    before = 0
    for number in range(1, len(steps) + 1):
        bends = bends_of(steps[:number])
        before = before + 1 if bends else 0
        bent = bent or bends if bends else []
        if before == BENT_STEPS:
            place = number - BENT_STEPS - 1
            return Knee(steps[place] if place >= 0 else None, list(steps[:number]), bent)
    return Knee(None, list(steps), [])
