"""Plays a scenario under every strategy, over many seeds, on all cores."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from routing.simulation.measures import Figures, Spread, figures, spreads
from routing.simulation.ours import Ours
from routing.simulation.scenario import Scenario
from routing.simulation.strategies import Oracle, RoundRobin, StaticPriority, SuccessWindow
from routing.simulation.traffic import Arrival, drawn, recorded
from routing.simulation.world import Run, Strategy, World

STRATEGIES: Final[tuple[Callable[[Scenario], Strategy], ...]] = (
    Ours,
    SuccessWindow,
    StaticPriority,
    RoundRobin,
    Oracle,
)
ORACLE: Final = Oracle.name


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario amounts to.  `by_strategy` has each figure's spread over the seeds.

    `regret` is the share of payments that a strategy lost more than the oracle did, in the troubled phase where there
    is one; `value_regret` the worth that it missed, as a share of the oracle's.  Both are taken seed by seed.
    """

    scenario: Scenario
    seeds: tuple[int, ...]
    by_strategy: dict[str, dict[str, Spread | None]]
    regret: dict[str, Spread]
    value_regret: dict[str, Spread]

    def to_json(self) -> dict[str, Any]:
        """All figures, for machines."""
        return {
            "scenario": self.scenario.name,
            "about": self.scenario.about,
            "seeds": list(self.seeds),
            "strategies": {
                name: {
                    **{each: None if found is None else asdict(found) for each, found in figures_.items()},
                    "regret": asdict(self.regret[name]),
                    "value_regret": asdict(self.value_regret[name]),
                }
                for name, figures_ in self.by_strategy.items()
            },
        }


def arrivals_of(scenario: Scenario, seed: int, traffic: Path | None) -> list[Arrival]:
    """The payments of one seed."""
    return list(drawn(scenario, seed) if traffic is None else recorded(traffic, seed))


def play(scenario: Scenario, seed: int, traffic: Path | None = None) -> list[Run]:
    """One seed under every strategy: the same payments with the same luck."""
    arrivals = arrivals_of(scenario, seed, traffic)
    return [World(scenario, strategy(scenario)).play(arrivals) for strategy in STRATEGIES]


def play_all(
    scenario: Scenario,
    seeds: Sequence[int],
    traffic: Path | None = None,
    told: Callable[[], None] = lambda: None,
    processes: int | None = None,
) -> Outcome:
    """Every seed under every strategy; `told` is called after each seed.  Memory: one seed per process at a time."""
    found: dict[int, list[Figures]] = {}
    workers = min(processes or os.cpu_count() or 1, len(seeds))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_figures_of, scenario, seed, traffic): seed for seed in seeds}
        for done in as_completed(waiting):
            found[waiting[done]] = done.result()
            told()
    return _outcome(scenario, [(seed, found[seed]) for seed in seeds])


def _figures_of(scenario: Scenario, seed: int, traffic: Path | None) -> list[Figures]:
    return [figures(scenario, run) for run in play(scenario, seed, traffic)]


def _outcome(scenario: Scenario, found: Sequence[tuple[int, list[Figures]]]) -> Outcome:
    runs: dict[str, list[Figures]] = defaultdict(list)
    for _, of_seed in found:
        for each in of_seed:
            runs[each.strategy].append(each)
    oracle = runs[ORACLE]

    def against(name: str, of_pair: Callable[[Figures, Figures], float]) -> Spread:
        spread = Spread.of([of_pair(ours, best) for ours, best in zip(runs[name], oracle, strict=True)])
        assert spread is not None, "there is at least one seed"
        return spread

    return Outcome(
        scenario=scenario,
        seeds=tuple(seed for seed, _ in found),
        by_strategy={name: spreads(each) for name, each in runs.items()},
        regret={name: against(name, lambda ours, best: ours.lost_in_phase - best.lost_in_phase) for name in runs},
        value_regret={name: against(name, lambda ours, best: (best.value - ours.value) / best.value) for name in runs},
    )
