"""What a generator measured: one row per answered request, and the figures of a window of time.

A refusal (429, 503) binds nothing and says when to come back, and a payment that a risk rule declines is answered as it
should be: neither is a completed payment, and neither an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

LATE_MS: Final = 10.0
"""A request that left so much after its moment of arrival was late: the generator, or the machine, was busy."""
REFUSALS: Final = frozenset({429, 503})
_ERRORS_SHARE_MAX: Final = 0.01


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
    declined: bool = False
    """Whether a risk rule was against it."""

    @property
    def is_refused(self) -> bool:
        """Whether it was turned away, to come back later."""
        return self.status in REFUSALS


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a window: completed are the payments that succeeded, errors what nobody meant to happen."""

    seconds: float
    completed: int
    errors: dict[str, int]
    latencies_ms: list[float]
    refusals: dict[str, int] = field(default_factory=dict)
    refusals_ms: list[float] = field(default_factory=list)
    """How long each refusal took from the moment at which its request left."""
    late_ms: list[float] = field(default_factory=list)
    """How much after their arrival the requests left that left late."""
    declined: int = 0

    @property
    def per_second(self) -> float:
        return self.completed / self.seconds

    @property
    def refused(self) -> int:
        return sum(self.refusals.values())

    @property
    def answered(self) -> int:
        """All requests that ended in the window."""
        return self.completed + self.refused + self.declined + sum(self.errors.values())

    @property
    def is_sound(self) -> bool:
        """Whether it says what a completed payment costs: some were completed, and hardly anything went wrong."""
        return self.completed > 0 and sum(self.errors.values()) <= _ERRORS_SHARE_MAX * self.answered

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
            self.declined + other.declined,
        )


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of them do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def figures_of(samples: list[Sample], from_s: float, to_s: float) -> Figures:
    """The figures of what was answered between two moments."""
    inside = [sample for sample in samples if from_s <= sample.at_s < to_s]
    refused = [sample for sample in inside if sample.is_refused]
    errors = Counter(
        _name_of(sample) for sample in inside if not (sample.succeeded or sample.is_refused or sample.declined)
    )
    latencies_ms = [sample.latency_ms for sample in inside if sample.succeeded]
    return Figures(
        to_s - from_s,
        len(latencies_ms),
        dict(errors),
        latencies_ms,
        dict(Counter(_name_of(sample) for sample in refused)),
        [sample.latency_ms - sample.late_ms for sample in refused],
        [sample.late_ms for sample in inside if sample.late_ms > LATE_MS],
        sum(sample.declined for sample in inside),
    )


def _name_of(sample: Sample) -> str:
    if sample.status == 0:
        return "no answer"
    return "not succeeded" if sample.status == 201 else f"HTTP {sample.status}"


def write_samples(path: Path, samples: list[Sample]) -> None:
    """One line for each: moment, latency, status, 1 for success, how late it left, 1 for declined by a rule."""
    with path.open("w", encoding="ascii") as file:
        for at_s, latency_ms, status, succeeded, late_ms, declined in samples:
            file.write(f"{at_s:.6f} {latency_ms:.3f} {status} {succeeded:d} {late_ms:.3f} {declined:d}\n")


def read_samples(path: Path) -> list[Sample]:
    """Read what `write_samples` wrote, or wrk's script, which has the first four of each line only."""
    with path.open(encoding="ascii") as file:
        return [_read(*line.split()) for line in file]


def _read(  # noqa: PLR0917  the columns of the file
    at_s: str, latency_ms: str, status: str, succeeded: str, late_ms: str = "0", declined: str = "0"
) -> Sample:
    return Sample(float(at_s), float(latency_ms), int(status), succeeded == "1", float(late_ms), declined == "1")
