"""For one term and one block of rows: which rows a value leaves standing, as a bit mask of rows by value.

A row that asks nothing of the term is left standing by every value. Where exact masks would be too many, neighbouring
ones are joined into one that leaves too many rows standing; the rows that it may be wrong about are `loose`: whoever
reads the mask has to look at these one by one.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.kernel.expressions.constraints import Constraint, Point, next_above

SEGMENTS_MAX: Final = 128
"""Masks of one term in one block, where its rows ask for ranges (checkpoints)."""
VALUES_MAX: Final = 256
"""The same where they only ask for values."""

Asked: TypeAlias = list[tuple[int, Constraint]]
"""What a block's rows ask of the term: (row, constraint), for those that ask something of it."""


@dataclass(frozen=True, slots=True)
class ValueMasks:
    """Masks by value, null among them; `otherwise` is that of every value not listed."""

    by_value: dict[Point, int]
    otherwise: int
    loose: int

    def all(self) -> list[int]:
        """Every mask there is."""
        return [*self.by_value.values(), self.otherwise]


@dataclass(frozen=True, slots=True)
class SegmentMasks:
    """`masks[bisect_right(points, value)]` is the mask of a value; null and NaN have one of their own each."""

    points: tuple[Point, ...]
    masks: tuple[int, ...]
    of_null: int
    of_nan: int
    loose: int

    def all(self) -> list[int]:
        """Every mask there is but for NaN's."""
        return [*self.masks, self.of_null]


def masks_of(asked: Asked, rows: int) -> ValueMasks | SegmentMasks:
    """The masks of a term for a block of so many rows."""
    if any(constraint.low is not None or constraint.high is not None for _, constraint in asked):
        return _segment_masks(asked, rows)
    return _value_masks(asked, rows)


def _silent(asked: Asked, rows: int) -> int:
    """The rows that ask nothing of the term."""
    silent = (1 << rows) - 1
    for row, _ in asked:
        silent ^= 1 << row
    return silent


def _value_masks(asked: Asked, rows: int) -> ValueMasks:
    silent = _silent(asked, rows)
    often = _frequent(asked)
    wanted = dict.fromkeys(often, 0)
    avoided = dict.fromkeys(often, 0)
    known = loose = null = 0
    for row, constraint in asked:
        bit = 1 << row
        if constraint.among is None:
            known |= bit
        elif None in constraint.among:
            null |= bit
        side = avoided if constraint.among is None else wanted
        for value in constraint.avoided if constraint.among is None else constraint.among - {None}:
            if value in side:
                side[value] |= bit
            else:
                loose |= bit
    doubtful = silent | loose
    by_value = {value: doubtful | wanted[value] | (known & ~avoided[value]) for value in often}
    return ValueMasks({**by_value, None: silent | null}, doubtful | known, loose)


def _frequent(asked: Asked) -> list[Point]:
    counts: Counter[Point] = Counter()
    for _, constraint in asked:
        counts.update((constraint.among or constraint.avoided) - {None})
    return [value for value, _ in counts.most_common(VALUES_MAX)]


def _segment_masks(asked: Asked, rows: int) -> SegmentMasks:
    silent = _silent(asked, rows)
    standing = silent
    of_null = of_nan = silent
    toggles: dict[Point, int] = {}
    for row, constraint in asked:
        bit = 1 << row
        of_null |= bit if constraint.met_by(None) else 0
        of_nan |= bit if constraint.unbounded else 0
        standing |= bit if constraint.among is None and constraint.low is None else 0
        for point in _changes(constraint):
            toggles[point] = toggles.get(point, 0) ^ bit
    points, masks, loose = _checkpoints(standing, toggles)
    return SegmentMasks(points, masks, of_null, of_nan, loose)


def _changes(constraint: Constraint) -> list[Point]:
    """Where a row falls or stands up again as the value rises; twice at one point is not at all."""
    if constraint.among is not None:
        return [point for value in constraint.among - {None} for point in _around(value)]
    inside = [value for value in constraint.avoided if Constraint(constraint.low, constraint.high).met_by(value)]
    ends = [end for end in (constraint.low, constraint.high) if end is not None]
    return ends + [point for value in inside for point in _around(value)]


def _around(value: Point) -> list[Point]:
    above = next_above(value)
    return [value] if above is None else [value, above]


def _checkpoints(standing: int, toggles: dict[Point, int]) -> tuple[tuple[Point, ...], tuple[int, ...], int]:
    """The points at which a new mask begins, the masks (one more), and the rows that change between two points."""
    every = sorted(toggles)
    step = max(math.ceil(len(every) / SEGMENTS_MAX), 1)
    points: list[Point] = []
    masks = [standing]
    loose = 0
    for at, point in enumerate(every):
        standing ^= toggles[point]
        if at % step == 0:
            points.append(point)
            masks.append(standing)
        else:
            masks[-1] |= standing
            loose |= toggles[point]
    return tuple(points), tuple(masks), loose
