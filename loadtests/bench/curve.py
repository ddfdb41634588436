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
_RULES_MIB_MAX: Final = 60.0
"""More memory for the largest number of rules (P9)."""
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
    gateway_mib: dict[str, float] = field(default_factory=dict)
    """Resident memory of the gateway after the newest round of each point."""

    def of(self, label: str) -> Measurement:
        """All rounds of a point together."""
        return reduce(add, self.rounds[label])

    def ours_us(self, label: str) -> float:
        """µs of CPU for a payment of all processes but the simulators and the generator."""
        return ours_us(self.of(label))

    @property
    def unsound(self) -> list[str]:
        """The points at which nothing was completed, or much went wrong."""
        return [label for label in self.rounds if not self.of(label).figures.is_sound]

    def spread(self, label: str) -> float | None:
        """From the cheapest round to the dearest, as a share of the mean; one round says nothing of that."""
        costs = [ours_us(each) for each in self.rounds[label]]
        return (max(costs) - min(costs)) / self.ours_us(label) if len(costs) > 1 and self.ours_us(label) else None


def ours_us(measured: Measurement) -> float:
    """µs of CPU for a payment of all processes but the simulators and the generator."""
    return sum(used for name, used in measured.cpu_us_per_payment.items() if name not in _NOT_OURS)


def curve_verdicts(curves: Sequence[Curve], *, as_asked: bool = True) -> list[Verdict]:
    """P5: the largest case against the small one, for the gateway and for all of our processes; of rules memory, too.

    Nothing is judged by other sizes, or another load, than is asked for, nor where much went wrong.
    """
    return [verdict for curve in curves if curve.small_case is not None for verdict in _verdicts(curve, as_asked)]


def _verdicts(curve: Curve, as_asked: bool) -> list[Verdict]:
    small, large = curve.small_case or "", list(curve.rounds)[-1]
    judged = as_asked and not {small, large} & set(curve.unsound)
    gateway = [curve.of(label).cpu_us_per_payment[GATEWAY] for label in (small, large)]
    what = f"{curve.name}: {large} against {small}"
    growth = {"all processes": curve.ours_us(large) / curve.ours_us(small), "gateway": gateway[1] / gateway[0]}
    found = [
        Verdict("P5", f"{what}, {whose}", times, GROWTH_MAX, at_most=True, judged=judged)
        for whose, times in growth.items()
    ]
    if curve.name is CurveName.RULES and {small, large} <= set(curve.gateway_mib):
        more_mib = curve.gateway_mib[large] - curve.gateway_mib[small]
        more = Verdict("P9", f"{what}, memory", more_mib, _RULES_MIB_MAX, at_most=True, judged=judged, unit="MiB")
        found.append(more)
    return found
