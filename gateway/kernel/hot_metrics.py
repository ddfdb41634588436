"""Metrics for the hot path: counted in plain Python and carried over to prometheus_client twice a second.

With several processes on a host a prometheus_client counter costs 0.8 µs an update and a histogram 1.6 µs (a
memory-mapped file, a lock, a check of the process id); here it is 0.14 µs.  A process that is killed loses the
last half second of counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client import Counter, Gauge, Histogram

FLUSH_S: Final = 0.5
OTHER: Final = "other"
"""What a name is called that has no series of its own."""
ROWS_MAX: Final = 1_000
"""Names that a process keeps for each ranked counter; of these, the busiest are told (gateway/metrics/ranking.py)."""
_ROWS_STEP: Final = 250
_WAITING_MAX: Final = 100_000

RANKED: Final[dict[str, frozenset[str]]] = {}
"""Ranked counters by their name without `_total`, and which of their labels are names that people choose."""


class Pending(Protocol):
    """What counts by itself and is carried over twice a second."""

    def flush(self) -> None:
        """Carry over what has been counted."""


Child = TypeVar("Child", bound=Pending)

_PENDING: Final[list[Pending]] = []


def flush_hot_metrics() -> None:
    """Carry every hot metric over; called twice a second, before a scrape of this process, and at its end."""
    for pending in _PENDING:
        pending.flush()


class HotCounterChild:
    """One series of a counter."""

    __slots__ = ("_child", "_count")

    def __init__(self, child: Counter) -> None:
        self._child = child
        self._count = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count."""
        self._count += amount

    def flush(self) -> None:
        """Carry over."""
        if self._count:
            count, self._count = self._count, 0.0
            self._child.inc(count)


class HotGaugeChild:
    """One series of a gauge: what it was set to last is told."""

    __slots__ = ("_child", "_told", "_value")

    def __init__(self, child: Gauge) -> None:
        self._child = child
        self._value = self._told = 0.0

    def set(self, value: float) -> None:
        """It is so much now."""
        self._value = value

    def flush(self) -> None:
        """Carry over."""
        if self._value != self._told:
            self._told = self._value
            self._child.set(self._told)


class HotHistogramChild:
    """One series of a histogram; the buckets are prometheus_client's own."""

    __slots__ = ("_bounds", "_child", "_counts", "_total")

    def __init__(self, child: Histogram) -> None:
        self._child = child
        self._bounds = child._upper_bounds  # noqa: SLF001  the library has no way to add many observations at once
        self._counts = [0] * len(self._bounds)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Put one value into its bucket."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def flush(self) -> None:
        """Carry over."""
        if not any(self._counts):
            return
        counts, self._counts = self._counts, [0] * len(self._bounds)
        total, self._total = self._total, 0.0
        for bucket, count in zip(self._child._buckets, counts, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        self._child._sum.inc(total)  # noqa: SLF001


class _Hot(Generic[Child]):
    """A metric with labels; its children are kept, so that finding one is a dictionary look-up."""

    def __init__(self, collector: Counter | Gauge | Histogram, make: Callable[[tuple[str, ...]], Child]) -> None:
        self.collector = collector
        self._make = make
        self._children: dict[tuple[object, ...], Child] = {}

    def labels(self, *values: object) -> Child:
        """The child with those label values, in the order of the declaration."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._make(tuple(str(value) for value in values))
            _PENDING.append(child)
        return child


def hot_counter(counter: Counter) -> _Hot[HotCounterChild]:
    """The counter for the hot path."""
    return _Hot(counter, lambda values: HotCounterChild(counter.labels(*values) if values else counter))


def hot_gauge(gauge: Gauge) -> _Hot[HotGaugeChild]:
    """The gauge for the hot path."""
    return _Hot(gauge, lambda values: HotGaugeChild(gauge.labels(*values) if values else gauge))


def hot_histogram(histogram: Histogram) -> _Hot[HotHistogramChild]:
    """The histogram for the hot path."""
    return _Hot(histogram, lambda values: HotHistogramChild(histogram.labels(*values) if values else histogram))


class HotRanked:
    """A counter whose labels hold names that people choose: counted exactly for the first 1,000 names that earn it.

    A name gets a row once it has counted 1; 10 when 250 rows are taken, 100 when 500, 1,000 when 750: so that a name
    that comes late and is busy finds room.  What it counted before, and what finds none, is counted as `other`.
    """

    def __init__(self, counter: Counter, named: Sequence[str]) -> None:
        self.collector = counter
        self._is_named = [label in named for label in counter._labelnames]  # noqa: SLF001
        self._pending: dict[tuple[str, ...], float] = {}
        self._waiting: dict[tuple[str, ...], float] = {}
        self._rows: dict[tuple[str, ...], Counter] = {}

    def count(self, values: tuple[str, ...], amount: float = 1.0) -> None:
        """Count, by the labels in the order of the declaration."""
        pending = self._pending
        pending[values] = pending.get(values, 0.0) + amount

    def flush(self) -> None:
        """Carry over, the busiest first: where rows are short, they get them."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        for values, amount in sorted(pending.items(), key=lambda item: -item[1]):
            self._row_of(values, amount).inc(amount)

    def _row_of(self, values: tuple[str, ...], amount: float) -> Counter:
        row = self._rows.get(values)
        if row is not None:
            return row
        waited = self._waiting.get(values, 0.0) + amount
        if len(self._rows) < ROWS_MAX and waited >= 10 ** (len(self._rows) // _ROWS_STEP):
            self._waiting.pop(values, None)
            self._rows[values] = self.collector.labels(*values)
            return self._rows[values]
        if values in self._waiting or len(self._waiting) < _WAITING_MAX:
            self._waiting[values] = waited
        rest = [OTHER if named else value for value, named in zip(values, self._is_named, strict=True)]
        child: Counter = self.collector.labels(*rest)
        return child


def hot_ranked(counter: Counter, named: Sequence[str]) -> HotRanked:
    """The counter for the hot path, with names that people choose in the labels `named`."""
    RANKED[counter._name] = frozenset(named)  # noqa: SLF001  what its samples are called is the library's secret
    ranked = HotRanked(counter, named)
    _PENDING.append(ranked)
    return ranked
