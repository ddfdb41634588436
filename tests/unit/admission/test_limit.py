"""The adaptive limit's laws, with a simulated process of 1,000 payments a second (tests.support.crowds.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.limit import AdaptiveLimit, Bounds
from tests.support.crowds import BOUNDS, Town, play

CAPACITY_PER_S = 1_000.0


@pytest.mark.parametrize("offered_per_s", [300.0, 600.0, 850.0])
def test_below_the_capacity_nobody_is_refused(offered_per_s: float) -> None:
    played = play(Town(lambda _: offered_per_s), AdaptiveLimit(BOUNDS))
    assert played.refused == 0
    assert played.completed_per_s(1, 16) == pytest.approx(offered_per_s, rel=0.05)


@pytest.mark.parametrize("times", [1.5, 3.0, 6.0])
def test_beyond_the_capacity_as_much_is_completed_as_the_refusals_leave(times: float) -> None:
    offered = times * CAPACITY_PER_S
    played = play(Town(lambda _: offered), AdaptiveLimit(BOUNDS))
    left = 1.0 - (offered - CAPACITY_PER_S) * 0.00003
    assert played.completed_per_s(4, 16) >= 0.95 * left * CAPACITY_PER_S
    assert played.mean_own_s(4) <= 1.25 * BOUNDS.target_s


def test_without_a_limit_the_same_crowd_waits_for_seconds() -> None:
    """What the others hold against: the simulation can fail."""
    assert play(Town(lambda _: 3_000.0), None).mean_own_s(4) > 2.0


def test_the_limit_comes_near_capacity_times_target_and_stays_there() -> None:
    played = play(Town(lambda _: 3_000.0), AdaptiveLimit(BOUNDS))
    late = [limit for at, limit in played.limits if at >= 6]
    assert 50 <= min(late) <= max(late) <= 160


def test_it_recovers_when_the_crowd_has_gone_and_when_the_process_is_quick_again() -> None:
    crowd = play(Town(lambda now: 3_000.0 if now < 6 else 700.0), AdaptiveLimit(BOUNDS))
    assert crowd.completed_per_s(8, 16) == pytest.approx(700.0, rel=0.06)
    slow = play(Town(lambda _: 800.0, work_s=lambda now: 0.004 if 3 <= now < 6 else 0.0005), AdaptiveLimit(BOUNDS))
    assert slow.refused > 0
    assert slow.completed_per_s(10, 16) == pytest.approx(800.0, rel=0.06)


@pytest.mark.parametrize("channel_s", [0.075, 1.0, 3.0])
def test_a_slow_channel_is_no_reason_to_refuse_anybody(channel_s: float) -> None:
    assert play(Town(lambda _: 800.0, channel_s=channel_s), AdaptiveLimit(BOUNDS)).refused == 0


def test_a_far_off_database_is_no_crowd() -> None:
    """Its commits take longer than the target: what is aimed at is then twice what they take undisturbed."""
    limit = AdaptiveLimit(BOUNDS)
    played = play(Town(lambda now: 100.0 if now < 4 else 850.0, commit_s=0.15), limit)
    assert limit.target_s == pytest.approx(0.3, rel=0.1)
    assert played.completed_per_s(8, 16) >= 0.9 * 850.0


def test_a_limit_that_is_not_in_use_does_not_move_however_slow_we_are() -> None:
    limit = AdaptiveLimit(BOUNDS)
    for _ in range(50):
        limit.observe(5.0, 30)
    assert limit.step(1.0, 0.0, peak=40)
    assert limit.value == BOUNDS.first


def test_one_slow_payment_moves_nothing_and_a_burst_is_judged_only_when_it_is_through() -> None:
    limit = AdaptiveLimit(BOUNDS)
    limit.observe(5.0, 100)
    assert not limit.step(1.0, 0.0, peak=128)
    for _ in range(20):
        limit.observe(0.8, 100)
    assert limit.step(1.1, 0.0, peak=128)
    halved = limit.value
    assert halved == BOUNDS.first // 2
    for _ in range(20):
        limit.observe(0.8, 100)
    assert not limit.step(1.5, 0.0, peak=128), "those were admitted under the earlier limit"
    assert limit.value == halved


def test_the_event_loops_lateness_counts_as_our_own_time() -> None:
    quick, late = AdaptiveLimit(BOUNDS), AdaptiveLimit(BOUNDS)
    for limit in (quick, late):
        for _ in range(20):
            limit.observe(0.06, 100)
    quick.step(1.0, 0.0, peak=128)
    late.step(1.0, 0.2, peak=128)
    assert quick.value > BOUNDS.first > late.value


@given(
    st.lists(
        st.tuples(st.floats(0, 30), st.integers(0, 2_000), st.floats(0, 5), st.integers(0, 2_000)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 64),
    st.integers(0, 1_000),
)
def test_whatever_is_observed_the_limit_stays_within_its_bounds(
    observed: list[tuple[float, int, float, int]], lowest: int, above: int
) -> None:
    limit = AdaptiveLimit(Bounds(lowest, lowest + above, 128, 0.1))
    now = 0.0
    for own_s, others, lag_s, peak in observed:
        for _ in range(10):
            limit.observe(own_s, others)
        now += 40.0
        assert limit.step(now, lag_s, peak)
        assert lowest <= limit.value <= lowest + above
        assert 0.1 <= limit.target_s <= 0.5
