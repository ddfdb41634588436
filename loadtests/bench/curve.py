"""A scaling curve: what a payment costs each process while one quantity grows, and whether that stays flat (P5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from operator import add
from pathlib import Path
from typing import Final

from loadtests.bench.measure import GENERATOR, Measurement
from loadtests.bench.outcome import Audit, Verdict
from loadtests.bench.scene import Scene

GROWTH_MAX: Final = 1.3
GATEWAY: Final = "gateway"
_NOT_OURS: Final = frozenset({GENERATOR, "simulators"})


class CurveName(StrEnum):
    """What grows."""

    CAMPAIGNS = "campaigns"
    RULES = "rules"
    MERCHANTS = "merchants"
    CONCURRENCY = "concurrency"
    PROCESSES = "processes"
    VALKEY = "valkey"
    STORED = "stored"


TITLES: Final[Mapping[CurveName, str]] = {
    CurveName.CAMPAIGNS: "active campaigns",
    CurveName.RULES: "live risk rules",
    CurveName.MERCHANTS: "merchants that pay",
    CurveName.CONCURRENCY: "requests open at once",
    CurveName.PROCESSES: "gateway processes",
    CurveName.VALKEY: "Valkey: one server, or a cluster of three masters with their replicas",
    CurveName.STORED: "payments stored",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a curve: a label, the stack that it is measured on, and the load."""

    label: str
    on: Scene
    open_requests: int
    keys: Path | None = None
    is_small_case: bool = False
    """What the largest case is held against."""


@dataclass(slots=True)
class Curve:
    """The rounds of each point in the order of the points, and the audits of its stacks."""

    name: CurveName
    rounds: dict[str, list[Measurement]] = field(default_factory=dict)
    small_case: str | None = None
    """The label of the point that the largest case is held against; None where nothing is asked."""
    audits: list[Audit] = field(default_factory=list)

    def of(self, label: str) -> Measurement:
        """All rounds of a point together."""
        return reduce(add, self.rounds[label])

    def ours_us(self, label: str) -> float:
        """µs of CPU for a payment of all processes but the simulators and the generator."""
        return ours_us(self.of(label))

    def spread(self, label: str) -> float:
        """From the cheapest round to the dearest, as a share of the mean."""
        costs = [ours_us(each) for each in self.rounds[label]]
        return (max(costs) - min(costs)) / self.ours_us(label) if self.ours_us(label) else 0.0


def ours_us(measured: Measurement) -> float:
    """µs of CPU for a payment of all processes but the simulators and the generator."""
    return sum(used for name, used in measured.cpu_us_per_payment.items() if name not in _NOT_OURS)


def curve_verdicts(curves: Sequence[Curve]) -> list[Verdict]:
    """P5: the largest case against the small one, for the gateway and for all of our processes."""
    return [verdict for curve in curves if curve.small_case is not None for verdict in _verdicts(curve)]


def _verdicts(curve: Curve) -> list[Verdict]:
    small, large = curve.small_case or "", list(curve.rounds)[-1]
    gateway = [curve.of(label).cpu_us_per_payment[GATEWAY] for label in (small, large)]
    what = f"{curve.name}: {large} against {small}"
    return [
        Verdict("P5", f"{what}, all processes", curve.ours_us(large) / curve.ours_us(small), GROWTH_MAX, at_most=True),
        Verdict("P5", f"{what}, gateway", gateway[1] / gateway[0], GROWTH_MAX, at_most=True),
    ]
