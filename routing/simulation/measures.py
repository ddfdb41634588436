"""What a run amounts to: payments lost, what they cost, and how soon a route was left and taken again."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from routing.simulation.channels import Answer
from routing.simulation.scenario import Does, Phase, Scenario
from routing.simulation.world import Call, Run

BIN_S: Final = 0.1
_LEFT_SHARE: Final = 0.10
"""A route is left once it gets no more than this share of the calls, over the next seconds."""
_LEFT_FOR_S: Final = 3.0
_BACK_SHARE: Final = 0.5
"""It is back once it gets this part of the share that it had before."""
_BEFORE_S: Final = 60.0
_WINDOW_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One run in figures.  Shares are of all measured payments; `value` and `fees` of what was to be paid, and was.

    `lost` were not paid, and not because of the customer; `value` is the worth of what was paid less fees; `left_s` and
    `back_s` count from the beginning and the end of the first phase that takes a route away (None: never), `strays` are
    the calls that it got in between, after it was left.  `slowest_s` is the 99.9th percentile of how long a customer
    waited; `in_flight_max` the most calls open at once.
    """

    strategy: str
    payments: int
    lost: float
    lost_in_phase: float
    paid: float
    value: float
    fees: float
    tries: float
    left_s: float | None
    back_s: float | None
    strays: int | None
    slowest_s: float
    in_flight_max: int


def figures(scenario: Scenario, run: Run) -> Figures:
    """The figures of one run."""
    measured = [paid for paid in run.payments if paid.at_s >= scenario.measured_from_s]
    phase = troubled_phase(scenario)
    in_phase = measured if phase is None else [paid for paid in measured if phase.from_s <= paid.at_s < phase.until_s]
    left_s = back_s = strays = None
    if phase is not None:
        sent = _Sent(run.calls, phase.route, scenario.duration_s)
        left_s, back_s = _left_s(sent, phase), _back_s(sent, phase, scenario.duration_s)
        strays = None if left_s is None else _strays(run.calls, phase, left_s)
    amount_fen = sum(paid.amount_fen for paid in measured) or 1
    fees_fen = sum(paid.fee_fen for paid in measured)
    taken_fen = sum(paid.amount_fen for paid in measured if paid.answer is Answer.OK)
    return Figures(
        strategy=run.strategy,
        payments=len(measured),
        lost=_share(paid.is_lost for paid in measured),
        lost_in_phase=_share(paid.is_lost for paid in in_phase),
        paid=_share(paid.answer is Answer.OK for paid in measured),
        value=(scenario.success_value * taken_fen - fees_fen) / amount_fen,
        fees=fees_fen / (taken_fen or 1),
        tries=statistics.fmean(paid.tries for paid in measured) if measured else 0.0,
        left_s=left_s,
        back_s=back_s,
        strays=strays,
        slowest_s=_percentile([paid.ended_s - paid.at_s for paid in measured], 0.999),
        in_flight_max=_in_flight_max(run.calls),
    )


def troubled_phase(scenario: Scenario) -> Phase | None:
    """The first phase that makes a route worse."""
    worse = {Does.REFUSE, Does.ERRORS, Does.BLACK_HOLE, Does.BROWN_OUT, Does.SLOW, Does.FLAP}
    return next((phase for phase in scenario.phases if phase.does in worse), None)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the seeds: mean, standard deviation, and the worst and best."""

    mean: float
    deviation: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None where no seed has the figure."""
        if not values:
            return None
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(statistics.fmean(values), deviation, min(values), max(values), len(values))


def spreads(runs: Sequence[Figures]) -> dict[str, Spread | None]:
    """Every figure of one strategy over its seeds."""
    names = [name for name in Figures.__slots__ if name != "strategy"]
    found = {}
    for name in names:
        values = [getattr(run, name) for run in runs]
        found[name] = Spread.of([value for value in values if value is not None])
    return found


def shares_by_time(calls: Iterable[Call], bin_s: float) -> dict[str, dict[int, int]]:
    """Calls sent by route and bin of time."""
    found: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for call in calls:
        found[call.account_id][int(call.sent_s / bin_s)] += 1
    return found


class _Sent:
    """Calls sent, in bins of a tenth of a second and summed up: how many of those in any window went to one route."""

    def __init__(self, calls: Sequence[Call], route: str, until_s: float) -> None:
        count = int(until_s / BIN_S) + 2
        total, there = [0] * count, [0] * count
        for call in calls:
            place = min(int(call.sent_s / BIN_S), count - 1)
            total[place] += 1
            there[place] += call.account_id == route
        self._total = list(accumulate(total, initial=0))
        self._there = list(accumulate(there, initial=0))

    def share(self, from_s: float, until_s: float) -> float | None:
        """The route's share of the calls; None where there are none."""
        last = len(self._total) - 1
        first, end = (min(last, max(0, round(moment / BIN_S))) for moment in (from_s, until_s))
        total = self._total[end] - self._total[first]
        return (self._there[end] - self._there[first]) / total if total else None


def _left_s(sent: _Sent, phase: Phase) -> float | None:
    """From the beginning of a phase until the route gets next to nothing, for some seconds."""
    for bins in range(int((phase.until_s - phase.from_s - _LEFT_FOR_S) / BIN_S) + 1):
        at_s = phase.from_s + bins * BIN_S
        share = sent.share(at_s, at_s + _LEFT_FOR_S)
        if share is not None and share <= _LEFT_SHARE:
            return bins * BIN_S
    return None


def _back_s(sent: _Sent, phase: Phase, until_s: float) -> float | None:
    """From the end of a phase until the route has again half of what it had; None where it never had much."""
    before = sent.share(phase.from_s - _BEFORE_S, phase.from_s) or 0.0
    if before < _LEFT_SHARE:
        return None
    for bins in range(int((until_s - phase.until_s - _WINDOW_S) / BIN_S) + 1):
        at_s = phase.until_s + bins * BIN_S
        share = sent.share(at_s, at_s + _WINDOW_S)
        if share is not None and share >= _BACK_SHARE * before:
            return bins * BIN_S
    return None


def _strays(calls: Iterable[Call], phase: Phase, left_s: float) -> int:
    return sum(
        call.account_id == phase.route and phase.from_s + left_s <= call.sent_s < phase.until_s for call in calls
    )


def _in_flight_max(calls: Iterable[Call]) -> int:
    steps = sorted(step for call in calls for step in ((call.sent_s, 1), (call.ended_s, -1)))
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _share(flags: Iterable[bool]) -> float:
    found = list(flags)
    return sum(found) / len(found) if found else 0.0
