"""How many calls an account may have under way: many while it is fast, few when it turns slow."""

from __future__ import annotations

from routing.health.lanes import Lane
from routing.health.settings import HealthSettings
from routing.health.standing import Standing

SETTINGS = HealthSettings()


def play(lane: Lane, *, seconds: float, rate: float, latency_s: float) -> int:
    """Traffic of so many calls a second that each take so long; what does not fit goes elsewhere.  Returns how many."""
    under_way: list[float] = []
    elsewhere, due, now = 0, 0.0, 0.0
    for _ in range(round(seconds * 10)):
        now += 0.1
        for began in [began for began in under_way if now - began >= latency_s]:
            under_way.remove(began)
            lane.took(latency_s)
            lane.end()
        due += rate / 10
        while due >= 1.0:
            due -= 1.0
            if lane.in_flight >= lane.in_flight_max:
                elsewhere += 1
            else:
                lane.begin()
                under_way.append(now)
        lane.tick(0.1)
    for _ in under_way:
        lane.end()
    return elsewhere


def test_usual_traffic_and_a_sudden_rush_both_fit() -> None:
    lane = Lane(SETTINGS)
    assert play(lane, seconds=30, rate=100, latency_s=0.3) == 0
    assert play(lane, seconds=30, rate=2_000, latency_s=0.3) == 0


def test_a_few_slow_answers_of_an_account_with_little_to_do_are_no_sign() -> None:
    lane = Lane(SETTINGS)
    play(lane, seconds=60, rate=1, latency_s=0.3)
    for _ in range(20):
        play(lane, seconds=3, rate=0.4, latency_s=1.0)
    assert lane.in_flight_max == SETTINGS.calls_max


def test_a_channel_that_turns_slow_holds_few_calls() -> None:
    lane = Lane(SETTINGS)
    play(lane, seconds=60, rate=100, latency_s=0.3)
    elsewhere = play(lane, seconds=30, rate=100, latency_s=8.0)
    assert lane.in_flight_max <= 16
    assert elsewhere > 2_000


def test_it_takes_its_calls_again_when_it_is_fast_again() -> None:
    lane = Lane(SETTINGS)
    play(lane, seconds=60, rate=100, latency_s=0.3)
    play(lane, seconds=30, rate=100, latency_s=8.0)
    play(lane, seconds=15, rate=100, latency_s=0.3)
    assert play(lane, seconds=10, rate=100, latency_s=0.3) == 0


def test_a_channel_that_answers_nothing_gets_no_more_than_it_began_with() -> None:
    lane = Lane(SETTINGS)
    play(lane, seconds=60, rate=100, latency_s=1_000.0)
    assert lane.in_flight_max == SETTINGS.calls_max


def test_the_limit_stays_within_its_bounds() -> None:
    lane = Lane(SETTINGS)
    play(lane, seconds=30, rate=5_000, latency_s=0.3)
    assert lane.in_flight_max == SETTINGS.calls_max
    for latency_s in (4.0, 8.0):
        play(lane, seconds=60, rate=100, latency_s=latency_s)
        assert lane.in_flight_max >= SETTINGS.calls_min


def test_all_cells_of_an_account_show_the_same_numbers() -> None:
    lane = Lane(SETTINGS)
    first, second = Standing(0.97, 0.04, 1), Standing(0.97, 0.04, 1)
    lane.join(first)
    lane.begin()
    lane.join(second)
    lane.begin()
    assert (first.in_flight, second.in_flight) == (2, 2)
    assert first.in_flight_max == second.in_flight_max == lane.in_flight_max
