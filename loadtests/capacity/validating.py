"""What the simulation says of each measured point beside what was measured there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from loadtests.capacity.calibrating import CALIBRATED_AT, calibrate, usable_points
from loadtests.capacity.costs import INTENT, OUTCOME, Costs, Role
from loadtests.capacity.measured import Measured, Point
from loadtests.capacity.node import Arrivals, Layout, Node, Played

COMPARED_ROLES: Final = (Role.GATEWAY, Role.POSTGRESQL, Role.VALKEY, Role.SIMULATORS)
_PAYMENTS: Final = 1_200
_SECONDS_MAX: Final = 40.0
_SECONDS_MIN: Final = 2.0
_WARM_UP_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure at one point."""

    open_requests: int
    figure: str
    measured: float
    simulated: float

    @property
    def error(self) -> float:
        """Simulated against measured: 0.1 is ten percent too much."""
        return self.simulated / self.measured - 1

    @property
    def judged(self) -> bool:
        """Whether the simulation had not seen this point."""
        return self.open_requests not in CALIBRATED_AT


def play_point(costs: Costs, cores: int, point: Point, seed: int = 1) -> Played:
    """The point's load in the simulation, with as many strangers on the machine as there were."""
    seconds = min(_SECONDS_MAX, max(_SECONDS_MIN, _PAYMENTS / point.per_second))
    node = Node(costs, Layout(shared_cores=cores, strangers_share=point.others_share), seed)
    return node.play(Arrivals(open_requests=point.open_requests), seconds, _WARM_UP_S)


def compare_all(measured: Measured, costs: Costs | None = None) -> list[Compared]:
    """Every figure of every usable point."""
    costs = costs or calibrate(measured)
    return [
        compared
        for point in usable_points(measured)
        for compared in _compare(point, play_point(costs, measured.cores, point))
    ]


def mean_error(compared: Sequence[Compared], figure: str) -> float:
    """The mean absolute error of a figure over the judged points."""
    return fmean(abs(one.error) for one in compared if one.judged and one.figure == figure)


def figures(compared: Sequence[Compared]) -> list[str]:
    """The names of what is compared, in order."""
    return list(dict.fromkeys(one.figure for one in compared))


def _compare(point: Point, played: Played) -> Iterator[Compared]:
    number = point.open_requests
    yield Compared(number, "payments/s", point.per_second, played.per_second)
    for percent in (50, 99):
        yield Compared(number, f"p{percent} ms", point.latency_ms[f"p{percent}"], played.percentile_ms(percent))
    for role in COMPARED_ROLES:
        yield Compared(number, f"{role} µs", point.cpu_us[role], played.cpu_us(role))
    for batch in (INTENT, OUTCOME):
        yield Compared(number, f"rows/{batch}", point.batches[batch].rows_mean, played.rows_mean(batch))
