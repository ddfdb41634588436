"""How the load goes over the time: a level (tills, or customers a second) for each second of a run."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final, Protocol

STEPS: Final = 5
_QUIET: Final = 0.2
"""Of the spike, as are the other shares."""
_MIDNIGHT: Final = 0.3
_SPIKE: Final = 0.2
_TAIL_END: Final = 0.25
_RAMP: Final = 0.1
_STEP_S: Final = 8.0
_STEP_S_LEAST: Final = 4.0
_FIRST: Final = 0.1
_GROWTH: Final = 1.3


class ShapeName(StrEnum):
    """The shapes that `--shape` takes."""

    FLAT = "flat"
    STEPS = "steps"
    DOUBLE_11 = "double-11"
    SOAK = "soak"
    KNEE = "knee"


class Shape(Protocol):
    """A shape knows its level at each moment; None when it is over."""

    def level(self, elapsed_s: float) -> int | None: ...


class Flat:
    """The same level from the first second to the last."""

    def __init__(self, top: int, seconds: float) -> None:
        self._top, self._seconds = top, seconds

    def level(self, elapsed_s: float) -> int | None:
        """The top, until the end."""
        return self._top if elapsed_s < self._seconds else None


class Steps:
    """Five steps of the same height and length, up to the top."""

    def __init__(self, top: int, seconds: float) -> None:
        self._top, self._step_s = top, seconds / STEPS

    def level(self, elapsed_s: float) -> int | None:
        """One step more each fifth of the time."""
        step = int(elapsed_s / self._step_s) + 1
        return None if step > STEPS else max(1, round(self._top * step / STEPS))


class DoubleEleven:
    """双11: a quiet evening, everybody at the stroke of midnight, and a tail that falls off to a busy night.

    30 % of the time at a fifth of the top; from one second to the next the top, for 20 %; then an exponential decline
    to a quarter of it.
    """

    def __init__(self, top: int, seconds: float) -> None:
        self._top, self._seconds = top, seconds

    def level(self, elapsed_s: float) -> int | None:
        """The level of the evening, of midnight, or of the night."""
        passed = elapsed_s / self._seconds
        if passed >= 1:
            return None
        if passed < _MIDNIGHT:
            return max(1, round(self._top * _QUIET))
        if passed < _MIDNIGHT + _SPIKE:
            return self._top
        tail = (passed - _MIDNIGHT - _SPIKE) / (1 - _MIDNIGHT - _SPIKE)
        return max(1, round(self._top * math.exp(math.log(_TAIL_END) * tail)))


class Soak:
    """Slowly up to the top over a tenth of the time, at most five minutes, and there to the end."""

    def __init__(self, top: int, seconds: float) -> None:
        self._top, self._seconds, self._ramp_s = top, seconds, min(300.0, seconds * _RAMP)

    def level(self, elapsed_s: float) -> int | None:
        """Rises with the time, then stays."""
        if elapsed_s >= self._seconds:
            return None
        return max(1, round(self._top * min(1.0, (elapsed_s + 1) / (self._ramp_s + 1))))


class Climb:
    """Steps of 30 % each, from a tenth of the top: the knee is looked for on the way.  Over after the top's own step.

    Each lasts eight seconds, or as much of `seconds` as there is for each, but not below four.
    """

    def __init__(self, top: int, seconds: float) -> None:
        self.levels = climb_levels(top)
        self.step_s = max(_STEP_S_LEAST, min(_STEP_S, seconds / len(self.levels)))

    def level(self, elapsed_s: float) -> int | None:
        """The level of the present step."""
        step = int(elapsed_s / self.step_s)
        return self.levels[step] if step < len(self.levels) else None


def climb_levels(top: int) -> list[int]:
    """The levels of a climb, each higher than the last one."""
    levels = [max(1, round(top * _FIRST))]
    while levels[-1] < top:
        levels.append(min(top, max(levels[-1] + 1, round(levels[-1] * _GROWTH))))
    return levels


_SHAPES: Final[dict[ShapeName, type[Flat | Steps | DoubleEleven | Soak | Climb]]] = {
    ShapeName.FLAT: Flat,
    ShapeName.STEPS: Steps,
    ShapeName.DOUBLE_11: DoubleEleven,
    ShapeName.SOAK: Soak,
    ShapeName.KNEE: Climb,
}


def shape_of(name: ShapeName, top: int, seconds: float) -> Shape:
    """The shape of that name, up to that level, over so many seconds."""
    return _SHAPES[name](top, seconds)
