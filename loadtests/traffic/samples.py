"""What a generator measured: one row per answered request, and the figures of a window of time.

A refusal (429, 503) binds nothing and says when to come back: it is no completed payment, and no error either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

LATE_MS: Final = 10.0
"""A request that left so much after its moment of arrival was late: the generator, or the machine, was busy."""
_REFUSALS: Final = frozenset({429, 503})


class Sample(NamedTuple):
    """One answer.  `at_s` is its moment on CLOCK_MONOTONIC, which all processes share; `status` 0 means no answer.

    `latency_ms` counts from the request's moment of arrival; where arrivals have moments of their own (the open model),
    the request left `late_ms` after it.
    """

    at_s: float
    latency_ms: float
    status: int
    succeeded: bool
    late_ms: float = 0.0

    @property
    def is_refused(self) -> bool:
        """Whether it was turned away, to come back later."""
        return self.status in _REFUSALS


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a window: completed are the payments that succeeded, errors all else but the refusals."""

    seconds: float
    completed: int
    errors: dict[str, int]
    latencies_ms: list[float]
    refusals: dict[str, int] = field(default_factory=dict)
    refusals_ms: list[float] = field(default_factory=list)
    """How long each refusal took from the moment at which its request left."""
    late_ms: list[float] = field(default_factory=list)
    """How much after their arrival the requests left that left late."""

    @property
    def per_second(self) -> float:
        return self.completed / self.seconds

    @property
    def refused(self) -> int:
        return sum(self.refusals.values())

    @property
    def answered(self) -> int:
        """All requests that ended in the window."""
        return self.completed + self.refused + sum(self.errors.values())

    @property
    def late_share(self) -> float:
        """Of all requests, those that left late."""
        return len(self.late_ms) / self.answered if self.answered else 0.0

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many percent of the completed payments did not exceed."""
        return percentile(self.latencies_ms, percent)

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.seconds + other.seconds,
            self.completed + other.completed,
            dict(Counter(self.errors) + Counter(other.errors)),
            self.latencies_ms + other.latencies_ms,
            dict(Counter(self.refusals) + Counter(other.refusals)),
            self.refusals_ms + other.refusals_ms,
            self.late_ms + other.late_ms,
        )


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of them do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def figures_of(samples: list[Sample], from_s: float, to_s: float) -> Figures:
    """The figures of what was answered between two moments."""
    inside = [sample for sample in samples if from_s <= sample.at_s < to_s]
    refused = [sample for sample in inside if sample.is_refused]
    errors = Counter(_name_of(sample) for sample in inside if not sample.succeeded and not sample.is_refused)
    latencies_ms = [sample.latency_ms for sample in inside if sample.succeeded]
    return Figures(
        to_s - from_s,
        len(latencies_ms),
        dict(errors),
        latencies_ms,
        dict(Counter(_name_of(sample) for sample in refused)),
        [sample.latency_ms - sample.late_ms for sample in refused],
        [sample.late_ms for sample in inside if sample.late_ms > LATE_MS],
    )


def _name_of(sample: Sample) -> str:
    if sample.status == 0:
        return "no answer"
    return "not succeeded" if sample.status == 201 else f"HTTP {sample.status}"


def write_samples(path: Path, samples: list[Sample]) -> None:
    """One line for each: moment, latency, status, 1 for success, and how late it left."""
    with path.open("w", encoding="ascii") as file:
        for at_s, latency_ms, status, succeeded, late_ms in samples:
            file.write(f"{at_s:.6f} {latency_ms:.3f} {status} {succeeded:d} {late_ms:.3f}\n")


def read_samples(path: Path) -> list[Sample]:
    """Read what `write_samples` wrote, or wrk's script, whose requests are never late."""
    with path.open(encoding="ascii") as file:
        rows = (line.split() for line in file)
        return [
            Sample(float(row[0]), float(row[1]), int(row[2]), row[3] == "1", float(row[4]) if len(row) > 4 else 0.0)
            for row in rows
        ]
