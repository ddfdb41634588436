"""A block of some thousand rows: the masks of the terms they ask of are ANDed, what is left standing is looked at."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from gateway.kernel.expressions.constraints import Constraint
from gateway.kernel.expressions.masks import Asked, SegmentMasks, ValueMasks, masks_of

Check: TypeAlias = tuple[int, Constraint]
"""What is asked of a slot (a term's place among the values).  Rows that ask the same share one."""
Checks: TypeAlias = tuple[Check, ...]

Compute: TypeAlias = Callable[[int], Any]
"""Gives the value of a slot that is still PENDING, and notes it."""

PENDING: Final = object()
"""Stands for the value of a term until somebody asks for it."""

MASKED_MAX: Final = 32
"""Terms of one block that have masks: those that most rows ask of."""
MASKED_SHARE: Final = 64
"""A term has masks where at least one row in so many asks of it: a row that has to be looked at costs several masks."""
MASKED_ROWS_MIN: Final = 12
"""Of a small block, so many rows at least."""


class Row(NamedTuple):
    """One alternative of one condition."""

    condition: int
    checks: Checks


@dataclass(frozen=True, slots=True)
class Block:
    """Rows with their masks; `loose` are the rows of which `checks` has to be asked where the masks leave them.

    `checks` is by row, empty where the masks say it all.  (Arrays and tuples here: a hundred thousand rows are many.)
    """

    conditions: array[int]
    by_value: tuple[tuple[int, dict[Any, int], int], ...]
    by_segment: tuple[tuple[int, tuple[Any, ...], tuple[int, ...], int, int], ...]
    loose: int
    checks: tuple[Checks, ...]

    def collect(self, held: list[Any], compute: Compute, hits: list[int]) -> None:
        """Append the conditions that these values meet; one may come several times, by several alternatives."""
        standing = -1
        for slot, masks, otherwise in self.by_value:
            value = held[slot]
            if value is PENDING:
                value = compute(slot)
            standing &= masks.get(value, otherwise)
            if not standing:
                return
        for slot, points, segments, of_null, of_nan in self.by_segment:
            value = held[slot]
            if value is PENDING:
                value = compute(slot)
            if value is None:
                standing &= of_null
            elif value != value:  # noqa: PLR0124  (only NaN differs from itself)
                standing &= of_nan
            else:
                standing &= segments[bisect_right(points, value)]
            if not standing:
                return
        self._read(standing, held, compute, hits)

    def _read(self, standing: int, held: list[Any], compute: Compute, hits: list[int]) -> None:
        conditions = self.conditions
        if standing < 0:
            standing = (1 << len(conditions)) - 1
        doubtful = standing & self.loose
        standing ^= doubtful
        while standing:
            lowest = standing & -standing
            hits.append(conditions[lowest.bit_length() - 1])
            standing ^= lowest
        while doubtful:
            lowest = doubtful & -doubtful
            row = lowest.bit_length() - 1
            if holds(self.checks[row], held, compute):
                hits.append(conditions[row])
            doubtful ^= lowest


def holds(checks: Checks, held: list[Any], compute: Compute) -> bool:
    """Whether the values meet all of these: `Constraint.met_by` of each, written out, as this is asked most of all."""
    for slot, (low, high, avoided, among) in checks:
        value = held[slot]
        if value is PENDING:
            value = compute(slot)
        if among is not None:
            if value not in among:
                return False
        elif (
            value is None
            or (low is not None and not value >= low)  # of NaN every comparison is false
            or (high is not None and not value < high)
            or value in avoided
        ):
            return False
    return True


def block_of(rows: Sequence[Row], computed_from: int) -> Block:
    """Make the masks of a block. Slots from `computed_from` on are computed terms, whose masks are asked last."""
    asked: defaultdict[int, Asked] = defaultdict(list)
    for at, row in enumerate(rows):
        for slot, constraint in row.checks:
            asked[slot].append((at, constraint))
    masks = {slot: masks_of(asked[slot], len(rows)) for slot in _masked(asked, len(rows))}
    order = sorted(masks, key=lambda slot: (slot >= computed_from, _standing_mean(masks[slot])))
    checks = _left_to_check(rows, masks)
    return Block(
        conditions=array("I", [row.condition for row in rows]),
        by_value=tuple((s, m.by_value, m.otherwise) for s in order if isinstance(m := masks[s], ValueMasks)),
        by_segment=tuple(
            (s, m.points, m.masks, m.of_null, m.of_nan) for s in order if isinstance(m := masks[s], SegmentMasks)
        ),
        loose=sum(1 << at for at, left in enumerate(checks) if left),
        checks=checks,
    )


def _masked(asked: dict[int, Asked], rows: int) -> list[int]:
    often = Counter({slot: len(by) for slot, by in asked.items()}).most_common(MASKED_MAX)
    return [slot for slot, count in often if count >= MASKED_ROWS_MIN and count * MASKED_SHARE >= rows]


def _standing_mean(masks: ValueMasks | SegmentMasks) -> float:
    """How many rows a mask leaves standing on average: the fewer, the sooner it is asked."""
    every = masks.all()
    return sum(mask.bit_count() for mask in every) / len(every)


def _left_to_check(rows: Sequence[Row], masks: dict[int, ValueMasks | SegmentMasks]) -> tuple[Checks, ...]:
    """By row: what the masks do not answer for certain."""
    return tuple(
        tuple(check for check in row.checks if check[0] not in masks or masks[check[0]].loose >> at & 1)
        for at, row in enumerate(rows)
    )
