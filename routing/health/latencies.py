"""Latency percentiles from a decayed histogram with logarithmic buckets: four to each doubling, 1 ms to a minute."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

_FIRST_S: Final = 0.001
_PER_DOUBLING: Final = 4
BUCKETS: Final = 64
_STEPS: Final = _PER_DOUBLING / math.log(2)
BOUNDS_S: Final = tuple(_FIRST_S * 2 ** (index / _PER_DOUBLING) for index in range(BUCKETS))
"""Upper bounds; the last bucket (55 s) also takes what is longer."""
_TELLING: Final = 1_000.0
"""So many answers are needed to speak of the slowest in a thousand."""
_GAIN_MAX: Final = 1e6


def bucket_of(seconds: float) -> int:
    """The index of the bucket that a latency belongs to."""
    if seconds <= _FIRST_S:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(seconds / _FIRST_S) * _STEPS))


class Latencies:
    """Of one cell: what this process measured, and what the others told.

    New answers weigh ever more instead of old ones less ("forward decay", Cormode and others, 2009): time passing costs
    one division.  The buckets are in units of 1 / `_gain` answers.
    """

    __slots__ = ("_gain", "_own", "_own_weight", "_peers", "_peers_weight", "is_changed")

    def __init__(self) -> None:
        self._gain = 1.0
        self._own = [0.0] * BUCKETS
        self._own_weight = 0.0
        self._peers = [0.0] * BUCKETS
        self._peers_weight = 0.0
        self.is_changed = False
        """Whether the percentiles may be others than when they were last asked for."""

    def add(self, seconds: float) -> None:
        """One answer that took so long."""
        self._own[bucket_of(seconds)] += self._gain
        self._own_weight += self._gain
        self.is_changed = True

    def decay(self, factor: float) -> None:
        """Multiply everything."""
        self._gain /= factor
        if self._gain > _GAIN_MAX:
            self._own = [weight / self._gain for weight in self._own]
            self._own_weight /= self._gain
            self._peers = [weight / self._gain for weight in self._peers]
            self._peers_weight /= self._gain
            self._gain = 1.0
            self.is_changed = True

    def told(self) -> list[float]:
        """What this process measured: bucket, weight in answers, bucket, weight, and so on; trifles are left out."""
        flat: list[float] = []
        least = 0.05 * self._gain
        for index, weight in enumerate(self._own):
            if weight >= least:
                flat += (index, round(weight / self._gain, 1))
        return flat

    def hear(self, buckets: Iterable[tuple[int, float]]) -> None:
        """Put others' weights by bucket in the place of those heard before."""
        peers, gain, total = [0.0] * BUCKETS, self._gain, 0.0
        for index, weight in buckets:
            peers[index] += weight * gain
            total += weight
        if total or self._peers_weight:
            self._peers, self._peers_weight = peers, total * gain
            self.is_changed = True

    def percentiles(self) -> tuple[float, float, float]:
        """p50, p99 and p99.9 in seconds, each the upper bound of its bucket (at most 19 % too high).

        Infinite while there is no evidence.  A percentile that the evidence is too thin for is the slowest answer.
        """
        self.is_changed = False
        total = self._own_weight + self._peers_weight
        if total < 0.5 * self._gain:
            return math.inf, math.inf, math.inf
        found, marks, above = [], [0.5 * total, 0.01 * total, 0.001 * total], 0.0
        for bound_s, own, peers in zip(reversed(BOUNDS_S), reversed(self._own), reversed(self._peers), strict=True):
            above += own + peers
            while marks and above > marks[-1]:
                marks.pop()
                found.append(bound_s)
            if not marks:
                break
        p999_s, p99_s, p50_s = found
        return p50_s, p99_s, p999_s

    @property
    def tells_the_slowest(self) -> bool:
        """Whether there are answers enough for a p99.9."""
        return self._own_weight + self._peers_weight >= _TELLING * self._gain
