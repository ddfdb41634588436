"""The breaker alone: what opens it, what half-opens it, who may probe, what closes it, how long it stays open."""

from __future__ import annotations

import random

import pytest

from routing.health.breaker import Breaker
from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState

SETTINGS = HealthSettings()
CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


def opened(at: float = 100.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    breaker.open(at)
    return breaker


def half_opened(at: float = 101.0) -> Breaker:
    breaker = opened(at - 1.0)
    breaker.alive(at)
    breaker.tick(at)
    assert breaker.state is HALF_OPEN
    return breaker


def test_twelve_failures_in_a_row_open_it_and_eleven_do_not() -> None:
    breaker = Breaker(SETTINGS)
    assert [breaker.bad(1.0) for _ in range(12)] == [False] * 11 + [True]
    assert breaker.state is OPEN


def test_one_success_takes_back_two_failures() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(11):
        breaker.bad(1.0)
    breaker.good(1.0)
    assert [breaker.bad(1.0) for _ in range(3)] == [False, False, True]


def test_successes_before_are_no_credit() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(10_000):
        breaker.good(1.0)
    for _ in range(12):
        breaker.bad(1.0)
    assert breaker.state is OPEN


@pytest.mark.parametrize(("success", "payments", "opens"), [(0.75, 20_000, 0), (0.3, 500, 40), (0.1, 60, 40)])
def test_what_is_nearly_down_opens_it_and_a_brown_out_does_not(success: float, payments: int, opens: int) -> None:
    openings = 0
    for seed in range(40):
        rng, breaker = random.Random(seed), Breaker(SETTINGS)
        for _ in range(payments):
            if breaker.state is CLOSED:
                breaker.good(1.0) if rng.random() < success else breaker.bad(1.0)
        openings += breaker.openings
    assert openings == opens


def test_what_others_saw_adds_up_with_ones_own() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(4):
        breaker.bad(1.0)
    assert not breaker.hear(0, 7, 1.0)
    assert breaker.hear(0, 1, 1.0)
    breaker = Breaker(SETTINGS)
    assert not breaker.hear(0, 11, 1.0)
    assert breaker.bad(1.0)


def test_what_went_well_elsewhere_does_not_hide_that_this_process_is_cut_off() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(11):
        breaker.bad(1.0)
        breaker.hear(100, 0, 1.0)
    assert breaker.bad(1.0)


def test_what_went_well_elsewhere_outweighs_what_failed_there() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(100):
        breaker.hear(3, 4, 1.0)
    assert breaker.state is CLOSED


def test_a_sign_of_life_half_opens_it_after_its_time_and_not_before() -> None:
    breaker = opened(100.0)
    breaker.alive(100.5)
    breaker.tick(100.9)
    assert breaker.state is OPEN
    breaker.tick(101.0)
    assert breaker.state is HALF_OPEN


def test_an_account_that_does_not_answer_is_not_tried_by_payments() -> None:
    breaker = opened(100.0)
    for tenths in range(6_000):
        now = 100.0 + tenths / 10
        if tenths % 10 == 0:
            breaker.dead(now)
        breaker.tick(now)
    assert breaker.state is OPEN


def test_a_sign_of_life_from_before_the_outage_or_of_long_ago_is_none() -> None:
    breaker = Breaker(SETTINGS)
    breaker.alive(99.9)
    breaker.open(100.0)
    breaker.asked(101.0)
    breaker.tick(101.5)
    assert breaker.state is OPEN
    breaker.alive(102.0)
    breaker.asked(105.5)
    breaker.tick(105.6)
    assert breaker.state is OPEN


def test_where_no_prober_is_at_work_payments_try_it_by_themselves() -> None:
    breaker = opened(100.0)
    breaker.tick(104.9)
    assert breaker.state is OPEN
    breaker.tick(105.1)
    assert breaker.state is HALF_OPEN


def test_half_open_lets_one_payment_through_then_three_at_a_time() -> None:
    breaker = half_opened()
    assert breaker.reserve(101.0)
    assert not breaker.reserve(101.0)
    assert breaker.begin()
    assert breaker.probes_free == 0
    breaker.probe_ended()
    assert not breaker.good(101.3)
    assert breaker.probes_free == 3


def test_a_reservation_that_nobody_uses_lapses() -> None:
    breaker = half_opened()
    breaker.reserve(101.0)
    breaker.tick(110.9)
    assert breaker.probes_free == 0
    breaker.tick(111.0)
    assert breaker.probes_free == 1


def test_three_that_do_well_close_it_and_the_first_failure_opens_it_for_longer() -> None:
    breaker = half_opened()
    assert [breaker.good(101.5) for _ in range(3)] == [False, False, True]
    assert breaker.state is CLOSED
    breaker = half_opened()
    breaker.good(101.5)
    assert breaker.bad(101.6)
    assert breaker.state is OPEN
    assert breaker.open_s == 2.0


def test_it_stays_open_for_longer_each_time_up_to_five_seconds_and_anew_after_a_calm() -> None:
    breaker, spans = Breaker(SETTINGS), []
    for outage in range(5):
        breaker.open(100.0 + outage * 10)
        spans.append(breaker.open_s)
        breaker.close(108.0 + outage * 10)
    assert spans == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert breaker.is_repeated
    breaker.open(148.0 + SETTINGS.calm_s)
    assert breaker.open_s == 1.0
    assert not breaker.is_repeated


def test_failed_probes_belong_to_the_outage_that_they_were_in() -> None:
    breaker = half_opened()
    breaker.bad(102.0)
    assert breaker.open_s == 2.0
    assert not breaker.is_repeated
    assert breaker.openings == 1
