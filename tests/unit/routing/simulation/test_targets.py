"""What the router has to reach, held on every change by one seed: of two plays in `make test`, of the others in
`make test-long`; `make simulate` plays twenty.

Nothing here is timed: the plays are in virtual time and the same on every machine.
"""

from __future__ import annotations

from functools import cache

import pytest

from routing.simulation.measures import Figures, figures
from routing.simulation.ours import Ours
from routing.simulation.scenario import load
from routing.simulation.strategies import Oracle
from routing.simulation.traffic import drawn
from routing.simulation.world import World

SEEDS = (1,)
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("seed", SEEDS)]


@cache
def played(name: str, seed: int) -> tuple[Figures, Figures]:
    """Our figures and the oracle's."""
    scenario = load(name)
    arrivals = list(drawn(scenario, seed))
    ours, oracle = (figures(scenario, World(scenario, each(scenario)).play(arrivals)) for each in (Ours, Oracle))
    return ours, oracle


def regret(name: str, seed: int) -> float:
    """The share of payments, of those made in the trouble, that we lost and the oracle did not."""
    ours, oracle = played(name, seed)
    return ours.lost_in_phase - oracle.lost_in_phase


def seconds(value: float | None) -> float:
    """A time that there has to be."""
    assert value is not None
    return value


@pytest.mark.long
def test_refused_connections_lose_no_payment(seed: int) -> None:
    ours, oracle = played("refusing", seed)
    assert ours.payments == oracle.payments > 60_000
    assert abs(regret("refusing", seed)) <= 0.0002, "but for the luck of payments that went elsewhere"
    assert seconds(ours.left_s) <= 2.0


@pytest.mark.parametrize("name", ["errors", pytest.param("errors_in_payments", marks=pytest.mark.long)])
def test_an_account_that_answers_errors_is_left_in_two_seconds_and_costs_a_hundredth_at_most(
    name: str, seed: int
) -> None:
    assert seconds(played(name, seed)[0].left_s) <= 2.0
    assert regret(name, seed) <= 0.01


def test_a_silent_account_is_left_and_only_what_was_under_way_is_lost(seed: int) -> None:
    ours, _ = played("black_hole", seed)
    slowest_s, margin_s = 0.6, 1.0
    assert seconds(ours.left_s) <= slowest_s + margin_s + 2.0
    under_way = 100 * (seconds(ours.left_s) + 0.5)
    assert regret("black_hole", seed) * 60_000 <= under_way


@pytest.mark.parametrize(
    "name",
    [
        "errors",
        "black_hole",
        *[pytest.param(each, marks=pytest.mark.long) for each in ("refusing", "errors_in_payments")],
    ],
)
def test_after_an_outage_an_account_is_back_in_ten_seconds(name: str, seed: int) -> None:
    assert seconds(played(name, seed)[0].back_s) <= 10.0


@pytest.mark.long
def test_a_brown_out_costs_two_hundredths_at_most(seed: int) -> None:
    assert regret("brown_out", seed) <= 0.02


@pytest.mark.long
def test_exploring_costs_two_payments_of_a_thousand_at_most(seed: int) -> None:
    ours, oracle = played("steady", seed)
    assert ours.lost - oracle.lost <= 0.002


@pytest.mark.long
@pytest.mark.parametrize("name", ["price_change", "new_route"])
def test_a_route_that_becomes_the_best_is_taken(name: str, seed: int) -> None:
    ours, oracle = played(name, seed)
    assert ours.value >= oracle.value * 0.998


@pytest.mark.long
def test_where_everything_is_down_everything_comes_back(seed: int) -> None:
    ours, oracle = played("correlated", seed)
    assert ours.lost - oracle.lost <= 0.005
