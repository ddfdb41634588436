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


def bucket_of(seconds: float) -> int:
    """The index of the bucket that a latency belongs to."""
    if seconds <= _FIRST_S:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(seconds / _FIRST_S) * _STEPS))


class Latencies:
    """Of one cell: what this process measured, and what the others told."""

    __slots__ = ("own", "own_weight", "peers", "peers_weight")

    def __init__(self) -> None:
        self.own = [0.0] * BUCKETS
        self.own_weight = 0.0
        self.peers = [0.0] * BUCKETS
        self.peers_weight = 0.0

    def add(self, seconds: float) -> None:
        """One answer that took so long."""
        self.own[bucket_of(seconds)] += 1.0
        self.own_weight += 1.0

    def decay(self, factor: float) -> None:
        """Multiply everything."""
        self.own = [weight * factor for weight in self.own]
        self.own_weight *= factor
        if self.peers_weight:
            self.peers = [weight * factor for weight in self.peers]
            self.peers_weight *= factor

    def hear(self, buckets: Iterable[tuple[int, float]]) -> None:
        """Put others' weights by bucket in the place of those heard before."""
        self.peers = [0.0] * BUCKETS
        for index, weight in buckets:
            self.peers[index] += weight
        self.peers_weight = sum(self.peers)

    def percentiles(self) -> tuple[float, float, float]:
        """p50, p99 and p99.9 in seconds, each the upper bound of its bucket (at most 19 % too high).

        Infinite while there is no evidence.  A percentile that the evidence is too thin for is the slowest answer.
        """
        total = self.own_weight + self.peers_weight
        if total < 1.0:
            return math.inf, math.inf, math.inf
        p999, p99 = self._above(0.001 * total), self._above(0.01 * total)
        return BOUNDS_S[self._above(0.5 * total)], BOUNDS_S[p99], BOUNDS_S[p999]

    @property
    def tells_the_slowest(self) -> bool:
        """Whether there are answers enough for a p99.9."""
        return self.own_weight + self.peers_weight >= _TELLING

    def _above(self, weight: float) -> int:
        """The bucket under which all but that weight lies."""
        own, peers, left = self.own, self.peers, weight
        for index in range(BUCKETS - 1, 0, -1):
            left -= own[index] + peers[index]
            if left < 0.0:
                return index
        return 0
