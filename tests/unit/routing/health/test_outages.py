"""Whole outages on a virtual clock, over several seeds: how soon an account is left, what is lost, when it is back.

The preferred account is worth a tenth more than the other, so that only its health drives payments away from it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import pytest

from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState
from tests.unit.routing.health.town import Mood, Moods, Town, flapping, outage

BEGINS: Final = 60.0
WORTH: Final = {"a": 1.0, "b": 0.9}
SEEDS: Final = range(3)
_MORE: Final = [pytest.param(seed, 1, marks=pytest.mark.long) for seed in (1, 2)]
RUNS: Final = [(0, 1), *_MORE, (3, 4)]
"""Seeds and numbers of processes."""


def town(seed: int, moods: Moods, until: float, *, processes: int = 1, rate: float = 100.0) -> Town:
    return Town(seed, {"a": moods}, WORTH, rate=rate, processes=processes).run(until)


def lost_during(played: Town, ends: float) -> int:
    """Payments that were lost at the account in trouble, those under way when it began included."""
    return len([s for s in played.lost if s.account == "a" and BEGINS - 2 <= s.at < ends])


def openings(played: Town, process: int = 0) -> list[float]:
    return [at for at, state in played.states("a", process) if state is BreakerState.OPEN]


def left_after(played: Town) -> float:
    """When every process had it open, from the beginning of the outage."""
    return max(openings(played, process)[0] for process in range(played.processes)) - BEGINS


def back_after(played: Town, ends: float) -> float:
    """When the first payment was sent there that is no probe, from the end of the outage."""
    return min((s.at for s in played.sent_to("a", ends)), default=math.inf) - ends


@pytest.mark.parametrize(("seed", "processes"), RUNS)
def test_an_account_that_refuses_connections_costs_no_payment(seed: int, processes: int) -> None:
    ends = BEGINS + 120
    played = town(seed, outage(Mood.REFUSES, BEGINS, ends), ends + 15, processes=processes)
    assert left_after(played) <= 2
    assert lost_during(played, ends) <= 0.03 * 2 * played.rate, "only what fails at a healthy account too"
    assert not [s for s in played.lost if s.account == "a" and BEGINS <= s.at < ends]
    assert not played.nowhere
    assert not played.sent_to("a", BEGINS + 2, ends)
    assert not played.sent_to("a", BEGINS + 2, ends, probes=True), "a query finds out, no payment"
    assert back_after(played, ends) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("mood", [Mood.ERRS, Mood.ERRS_AT_CHARGES])
@pytest.mark.parametrize(("seed", "processes"), RUNS)
def test_ten_minutes_of_errors_cost_one_payment_in_a_hundred_at_most(seed: int, processes: int, mood: Mood) -> None:
    ends = BEGINS + 600
    played = town(seed, outage(mood, BEGINS, ends), ends + 15, processes=processes)
    assert left_after(played) <= 2
    assert not played.sent_to("a", BEGINS + 2, ends)
    assert lost_during(played, ends) <= 0.01 * 600 * played.rate
    assert back_after(played, ends) <= 10


@pytest.mark.parametrize(("seed", "processes"), RUNS)
def test_a_black_hole_is_left_two_seconds_after_p999_and_one_second(seed: int, processes: int) -> None:
    ends = BEGINS + 60
    before = town(seed, lambda _: Mood.WELL, BEGINS, processes=processes)
    p999_s = max(health.standing(Town.cell("a")).p999_s for health in before.healths)
    played = town(seed, outage(Mood.SILENT, BEGINS, ends), ends + 15, processes=processes)
    left_s = left_after(played)
    assert left_s <= p999_s + 1 + 2
    swallowed = [s for s in played.sent if s.account == "a" and BEGINS <= s.at < ends]
    assert all(s.at <= BEGINS + left_s for s in swallowed), "only what was under way by then is lost"
    assert len(swallowed) <= left_s * played.rate * 1.3
    assert back_after(played, ends) <= 10


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "processes"), RUNS)
def test_a_brown_out_is_left_by_its_score_and_costs_two_payments_in_a_hundred_at_most(
    seed: int, processes: int
) -> None:
    ends = BEGINS + 600
    played = town(seed, outage(Mood.BROWNED_OUT, BEGINS, ends), ends, processes=processes)
    assert not openings(played)
    there = [s for s in played.sent if s.account == "a" and s.at >= BEGINS]
    assert (0.99 - 0.70) * len(there) <= 0.02 * 600 * played.rate
    assert min(health.standing(Town.cell("a")).success for health in played.healths) < 0.97


@pytest.mark.parametrize("period_s", [1.0, 4.0, 10.0])
@pytest.mark.parametrize(("seed", "processes"), RUNS[2:])
def test_flapping_opens_no_breaker_sooner_again_than_its_own_period(seed: int, processes: int, period_s: float) -> None:
    ends = BEGINS + 180
    played = town(seed, flapping(Mood.ERRS, BEGINS, ends, period_s), ends + 30, processes=processes)
    for process in range(processes):
        opened = openings(played, process)
        assert opened
        assert all(later - earlier >= HealthSettings().open_s_min for earlier, later in pairwise(opened))
    lost = len([s for s in played.lost if s.account == "a" and BEGINS <= s.at < ends])
    assert lost <= 0.08 * 180 * played.rate


@pytest.mark.parametrize("seed", SEEDS)
def test_few_payments_over_many_processes_are_enough(seed: int) -> None:
    ends = BEGINS + 300
    played = town(seed, outage(Mood.ERRS, BEGINS, ends), ends, processes=4, rate=2.0)
    assert lost_during(played, ends) <= 16


@pytest.mark.parametrize("seed", SEEDS)
def test_a_process_that_hears_nothing_of_the_others_leaves_by_itself(seed: int) -> None:
    ends = BEGINS + 60
    played = Town(seed, {"a": outage(Mood.ERRS, BEGINS, ends)}, WORTH, processes=4, has_exchange=False).run(ends + 15)
    assert left_after(played) <= 2.5
    assert back_after(played, ends) <= 10


@pytest.mark.parametrize("seed", SEEDS)
def test_a_healthy_account_stays_in_use(seed: int) -> None:
    played = town(seed, lambda _: Mood.WELL, 600.0)
    assert not openings(played)
    assert len(played.sent_to("b")) <= 0.01 * len(played.sent)


@pytest.mark.parametrize("seed", SEEDS)
def test_where_everything_is_down_payments_have_nowhere_to_go_and_come_back_soon(seed: int) -> None:
    ends = BEGINS + 60
    moods = outage(Mood.ERRS, BEGINS, ends)
    played = Town(seed, {"a": moods, "b": moods}, WORTH).run(ends + 15)
    nowhere = [at for at in played.nowhere if BEGINS + 2 < at < ends]
    sent = [s for s in played.sent if BEGINS + 2 < s.at < ends]
    assert not sent
    assert len(nowhere) >= 0.9 * 58 * played.rate
    assert max(played.nowhere) - ends <= 10
