"""What a generator measured: one row per answered request, and the figures of a window of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    """One answer.  `at_s` is its moment on CLOCK_MONOTONIC, which all processes share; `status` 0 means no answer."""

    at_s: float
    latency_ms: float
    status: int
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a window: completed are the payments that succeeded, errors everything else."""

    seconds: float
    completed: int
    errors: dict[str, int]
    latencies_ms: list[float]

    @property
    def per_second(self) -> float:
        return self.completed / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many percent of the completed payments did not exceed."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.seconds + other.seconds,
            self.completed + other.completed,
            dict(Counter(self.errors) + Counter(other.errors)),
            self.latencies_ms + other.latencies_ms,
        )


def figures_of(samples: list[Sample], from_s: float, to_s: float) -> Figures:
    """The figures of what was answered between two moments."""
    inside = [sample for sample in samples if from_s <= sample.at_s < to_s]
    errors = Counter(_name_of(sample) for sample in inside if not sample.succeeded)
    latencies_ms = [sample.latency_ms for sample in inside if sample.succeeded]
    return Figures(to_s - from_s, len(latencies_ms), dict(errors), latencies_ms)


def _name_of(sample: Sample) -> str:
    if sample.status == 0:
        return "no answer"
    return "not succeeded" if sample.status == 201 else f"HTTP {sample.status}"


def write_samples(path: Path, samples: list[Sample]) -> None:
    """One line for each: moment, latency, status, and 1 for success."""
    with path.open("w", encoding="ascii") as file:
        for at_s, latency_ms, status, succeeded in samples:
            file.write(f"{at_s:.6f} {latency_ms:.3f} {status} {succeeded:d}\n")


def read_samples(path: Path) -> list[Sample]:
    """Read what `write_samples`, or wrk's script, wrote."""
    with path.open(encoding="ascii") as file:
        rows = (line.split() for line in file)
        return [Sample(float(row[0]), float(row[1]), int(row[2]), row[3] == "1") for row in rows]
