"""Windows over a history, exact and of all payments at once: what Valkey counts one by one, here with numpy.

A payment's place in the history (0 … n-1, by time) stands for its time, so that a key and a place are one whole number,
code · (n + 1) + place, and the edges of every window are found by one search in the sorted numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NOBODY: Final = -1
"""The code of a payment that does not name the key."""


@dataclass(frozen=True)
class Timeline:
    """The times of all payments in ms since the epoch, rising; shape (n,)."""

    at_ms: Ints

    def __len__(self) -> int:
        return len(self.at_ms)

    def first_within(self, window_ms: int) -> Ints:
        """For each payment the place of the first one of all that is younger than the window; shape (n,)."""
        return np.searchsorted(self.at_ms, self.at_ms - window_ms, side="right").astype(np.int64)


class Grouped:
    """The payments of each value of a key in the order of time.

    `codes` (shape (n,)) is the key's value as a number from 0 on, NOBODY where the payment names none.  What the public
    methods give has the history's shape and order; where the payment names no key it means nothing.  Inside, all is in
    the order by key and time: searching for neighbours of neighbours, the processor has what it needs at hand.
    """

    def __init__(self, timeline: Timeline, codes: Ints) -> None:
        self.timeline = timeline
        self.known: Bools = codes != NOBODY
        self._step = len(timeline) + 1
        places = np.flatnonzero(self.known)
        numbers = codes[places] * self._step + places
        order = np.argsort(numbers)
        self._sorted: Ints = numbers[order]
        self.places: Ints = places[order]
        """Of the payments that name the key, in the order by key and time."""
        self.codes: Ints = codes[self.places]
        """Their codes."""
        self._here = np.arange(len(places))

    def _find(self, places: Ints) -> Ints:
        """Of each payment: where its key's payments from a place on begin."""
        return np.searchsorted(self._sorted, self.codes * self._step + places).astype(np.int64)

    def _starts(self, window_ms: int) -> Ints:
        return self._find(self.timeline.first_within(window_ms)[self.places])

    def count(self, window_ms: int) -> Ints:
        """Payments of the key within the window, this one too."""
        return self.spread(self._here - self._starts(window_ms) + 1)

    def total(self, window_ms: int, amounts: Ints) -> Ints:
        """The sum of their amounts."""
        sums = np.concatenate([[0], np.cumsum(amounts[self.places])])
        return self.spread(sums[1:] - sums[self._starts(window_ms)])

    def extreme(self, window_ms: int, amounts: Ints, pick: np.ufunc) -> Ints:
        """The least (np.minimum) or greatest (np.maximum) of their amounts.

        A window of length l is covered by two stretches of 2^k, the greatest power of two that fits; the extremes of
        all stretches of 2^k come from those of 2^(k-1).
        """
        starts = self._starts(window_ms)
        lengths = self._here - starts + 1
        found = np.zeros(len(starts), dtype=np.int64)
        stretches = amounts[self.places]
        width = 1
        while len(stretches):
            mine = np.flatnonzero((lengths >= width) & (lengths < 2 * width))
            found[mine] = pick(stretches[starts[mine]], stretches[mine - width + 1])
            if not (lengths >= 2 * width).any():
                break
            stretches = pick(stretches[:-width], stretches[width:])
            width *= 2
        return self.spread(found)

    def previous(self) -> Ints:
        """The place of the key's payment before, NOBODY without one."""
        before = np.full(len(self.places), NOBODY, dtype=np.int64)
        same = np.flatnonzero(self.codes[1:] == self.codes[:-1])
        before[same + 1] = self.places[same]
        return self.spread(before, NOBODY)

    def distinct(self, window_ms: int, values: Ints) -> Ints:
        """How many different values (codes; NOBODY is none) the window holds.

        A payment stands for its value from its own place until the value comes again or the window has left it behind;
        the number at a place is of those that stand there.
        """
        first = self.timeline.first_within(window_ms)
        left_behind = np.searchsorted(first, self.places, side="right").astype(np.int64)
        ends = np.minimum(self._find(left_behind), self._next_of_value(values))
        counted = np.flatnonzero(values[self.places] != NOBODY)
        change = np.zeros(len(self.places) + 1, dtype=np.int64)
        change[counted] += 1
        np.subtract.at(change, ends[counted], 1)
        return self.spread(np.cumsum(change)[:-1])

    def _next_of_value(self, values: Ints) -> Ints:
        """Where the key's next payment with the same value stands; the end without one."""
        both = paired(self.codes, values[self.places])
        order = np.lexsort((self._here, both))
        found = np.full(len(both), len(both), dtype=np.int64)
        same = np.flatnonzero(both[order][1:] == both[order][:-1])
        found[order[same]] = order[same + 1]
        return found

    def spread(self, by_key: Ints, otherwise: int = 0) -> Ints:
        """In the history's order again."""
        found = np.full(len(self.timeline), otherwise, dtype=np.int64)
        found[self.places] = by_key
        return found


class Told:
    """What became known of payments later (frauds, refunds …): by the value of their key, when and of what amounts.

    Shape (m,) each, in any order.  A payment sees what was told before or at its own time.
    """

    def __init__(self, group: Grouped, told_ms: Ints, told_codes: Ints, amounts: Ints) -> None:
        order = np.argsort(told_ms, kind="stable")
        order = order[told_codes[order] != NOBODY]
        self._times: Ints = told_ms[order]
        self._step = len(order) + 1
        numbers = told_codes[order] * self._step + np.arange(len(order))
        by_key = np.argsort(numbers)
        self._sorted: Ints = numbers[by_key]
        self._sums: Ints = np.concatenate([[0], np.cumsum(amounts[order][by_key])])
        self._group = group
        self._at_ms: Ints = group.timeline.at_ms[group.places]

    def _before(self, at_ms: Ints) -> Ints:
        """How many of those sorted by key stand before the key's first one that was told after the time."""
        told = np.searchsorted(self._times, at_ms, side="right")
        return np.searchsorted(self._sorted, self._group.codes * self._step + told).astype(np.int64)

    def count(self, window_ms: int) -> Ints:
        """How many were told within the window; shape (n,)."""
        return self._group.spread(self._before(self._at_ms) - self._before(self._at_ms - window_ms))

    def total(self, window_ms: int) -> Ints:
        """The sum of their amounts."""
        begin, end = self._before(self._at_ms - window_ms), self._before(self._at_ms)
        return self._group.spread(self._sums[end] - self._sums[begin])


def paired(left: Ints, right: Ints) -> Ints:
    """One code for two: NOBODY where either is, dense from 0 on."""
    known = (left != NOBODY) & (right != NOBODY)
    found = np.full(len(left), NOBODY, dtype=np.int64)
    if known.any():
        numbers = left[known] * (int(right.max()) + 1) + right[known]
        found[known] = np.unique(numbers, return_inverse=True)[1]
    return found


def coded(values: Sequence[Any]) -> Ints:
    """Numbers from 0 on for different values, NOBODY for None; shape (n,)."""
    codes: dict[Any, int] = {None: NOBODY}
    return np.fromiter((codes.setdefault(value, len(codes) - 1) for value in values), np.int64, len(values))
