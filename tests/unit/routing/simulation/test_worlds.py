"""The play itself: what scripted channels answer, how payments go from route to route, what is measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from routing.sale import Sale
from routing.simulation.channels import Answer, Luck, ScriptedChannel
from routing.simulation.measures import figures
from routing.simulation.scenario import Does, Phase, Route, Scenario, ScenarioError, load, ready_names
from routing.simulation.strategies import Oracle, RoundRobin, StaticPriority, SuccessWindow
from routing.simulation.traffic import drawn, recorded
from routing.simulation.world import Run, World

GOOD = Luck(channel=0.5, customer=0.5, latency=0.0)
ROUTES = (Route("a", success=1.0), Route("b", success=1.0, priority=110))
SHORT = Scenario("short", "two routes", ROUTES, per_s=50.0, duration_s=30.0, measured_from_s=5.0, customer_failures=0.0)


def phased(*phases: Phase, scenario: Scenario = SHORT) -> Scenario:
    return replace(scenario, phases=phases)


def down(does: Does, success: float = 1.0) -> Phase:
    return Phase("a", does, 10.0, 20.0, success)


def run(scenario: Scenario, strategy: type[StaticPriority | Oracle | RoundRobin | SuccessWindow]) -> Run:
    return World(scenario, strategy(scenario)).play(list(drawn(scenario, 1)))


@pytest.mark.parametrize("name", ready_names())
def test_every_ready_scenario_can_be_played(name: str) -> None:
    scenario = replace(load(name), per_s=1.0)
    played = World(scenario, Oracle(scenario)).play(list(drawn(scenario, 7)))
    assert len(played.payments) > 0.8 * scenario.duration_s


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("about = 1\n[[route]]\nid = 'a'\ncolour = 'red'", "colour"),
        (
            "about = 'x'\n[[route]]\nid = 'a'\n[[phase]]\nroute = 'b'\ndoes = 'refuse'\nfrom_s = 1\nuntil_s = 2",
            "no route b",
        ),
        ("about = 'x'\n[[route]]\nid = 'a'\n[[phase]]\nroute = 'a'\ndoes = 'sulk'\nfrom_s = 1\nuntil_s = 2", "sulk"),
        ("about = 'x'", "route"),
        ("about = ", "Invalid"),
        ("about = 'x'\n[[route]]\nid = 'a'\n[policy]\nrules = [{name = 'r', when = 'true', exclude = ['z']}]", "z"),
    ],
)
def test_a_scenario_that_cannot_be_played_says_why(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=told):
        load(str(file))


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="black_hole"):
        load("nowhere")


@pytest.mark.parametrize(
    ("does", "answer"),
    [
        (Does.REFUSE, Answer.UNSENT),
        (Does.ERRORS, Answer.FAULT),
        (Does.BLACK_HOLE, Answer.FAULT),
        (Does.FLAP, Answer.FAULT),
        (Does.SLOW, Answer.OK),
    ],
)
def test_a_channel_does_as_its_phase_says_and_then_as_before(does: Does, answer: Answer) -> None:
    channel = ScriptedChannel(ROUTES[0], phased(down(does)))
    assert [channel.call(at_s, GOOD).answer for at_s in (9.0, 12.0, 20.0)] == [Answer.OK, answer, Answer.OK]


def test_a_black_hole_swallows_what_was_under_way_when_it_began() -> None:
    channel = ScriptedChannel(ROUTES[0], phased(down(Does.BLACK_HOLE)))
    ended = channel.call(9.99, GOOD)
    assert (ended.answer, ended.after_s) == (Answer.FAULT, SHORT.channel_timeout_s)


def test_every_strategy_meets_the_same_payments_with_the_same_luck() -> None:
    scenario = phased(down(Does.BROWN_OUT, success=0.5))
    runs = [run(scenario, each) for each in (StaticPriority, Oracle, RoundRobin, SuccessWindow)]
    offered = [sorted((paid.at_s, paid.amount_fen) for paid in played.payments) for played in runs]
    assert all(left == right for left, right in pairwise(offered))
    assert len(offered[0]) > 1_000


def test_a_payment_that_could_not_be_sent_goes_to_the_next_route_and_is_paid_once() -> None:
    played = run(phased(down(Does.REFUSE)), StaticPriority)
    twice = [paid for paid in played.payments if paid.tries == 2]
    assert {paid.account_id for paid in twice} == {"b"}
    assert all(10.0 <= paid.at_s < 20.0 for paid in twice)
    assert len(twice) > 300
    assert {paid.answer for paid in played.payments} == {Answer.OK}


def test_the_oracle_leaves_at_once_and_loses_nothing_where_another_route_is_well() -> None:
    for does in (Does.REFUSE, Does.ERRORS, Does.FLAP):
        found = figures(phased(down(does)), run(phased(down(does)), Oracle))
        assert (found.lost, found.paid) == (0.0, 1.0)


def test_the_figures_of_a_strategy_that_stays_are_those_of_the_outage() -> None:
    scenario = phased(down(Does.ERRORS))
    found = figures(scenario, run(scenario, StaticPriority))
    assert (found.lost_in_phase, found.left_s, found.strays, found.back_s) == (1.0, None, None, 0.0)
    assert found.lost == pytest.approx(10 / 25, abs=0.03)


class _LeavesAt12(StaticPriority):
    """Goes from a to b two seconds after the beginning, and back four seconds after the end."""

    name = "leaves"

    def choose(self, sale: Sale, at_s: float, tried: frozenset[str]) -> str | None:
        """See Strategy."""
        return "b" if 12.0 <= at_s < 24.0 else "a"


def test_leaving_and_returning_are_timed_from_the_beginning_and_the_end() -> None:
    scenario = phased(down(Does.ERRORS))
    found = figures(scenario, World(scenario, _LeavesAt12(scenario)).play(list(drawn(scenario, 3))))
    assert found.left_s is not None
    assert 1.6 <= found.left_s <= 2.0, "a tenth of the calls of the next three seconds counts as left"
    assert found.strays is not None
    assert 0 <= found.strays <= 30
    assert found.back_s == pytest.approx(3.5, abs=0.3), "half of a second's calls count as back"
    assert found.lost_in_phase == pytest.approx(0.2, abs=0.05)


def test_fees_are_those_of_the_route_at_the_time() -> None:
    cheaper = Phase("a", Does.FEE, 0.0, 30.0, fee_rate_millionths=1_000)
    scenario = phased(cheaper)
    assert figures(scenario, run(scenario, StaticPriority)).fees == pytest.approx(0.001, rel=0.02)
    assert figures(SHORT, run(SHORT, StaticPriority)).fees == pytest.approx(0.0038, rel=0.02)


def test_recorded_payments_are_replayed_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("at,amount,till\n2026-11-11T10:00:00+08:00,100,1\n2026-11-11T10:00:02.5+08:00,250,2\n")
    found = list(recorded(file, seed=1))
    assert [(each.at_s, each.sale.amount_fen) for each in found] == [(0.0, 100), (2.5, 250)]
    assert found == list(recorded(file, seed=1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "at,amount\n",
        "when,amount\n1,2\n",
        "at,amount\nsoon,2\n",
        "at,amount\n2026-11-11T10:00:00Z,-1\n",
        "at,amount\n2026-11-11T10:00:00Z,1\n2026-11-11T09:00:00Z,1\n",
    ],
)
def test_recorded_payments_that_cannot_be_read_say_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "day.csv"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=r"day\.csv"):
        list(recorded(file, seed=1))


def test_payments_and_luck_depend_on_the_seed_alone() -> None:
    def seen(seed: int) -> Sequence[tuple[float, int, Luck]]:
        return [(each.at_s, each.sale.amount_fen, each.luck) for each in drawn(SHORT, seed)]

    assert seen(1) == seen(1)
    assert seen(1) != seen(2)
