"""The database's time, learnt from what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from promotions.clock import WINDOW_S, DatabaseClock

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)


class Monotonic:
    """A clock that goes on when told."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_before_anything_was_heard_it_is_this_machines_time() -> None:
    assert abs(DatabaseClock().now() - datetime.now(UTC)) < timedelta(seconds=1)


def test_it_goes_on_from_what_was_heard_whatever_this_machines_clock_says(monotonic: Monotonic) -> None:
    clock = DatabaseClock(monotonic)
    clock.heard(NOON)
    monotonic.now_s += 7.5
    assert clock.now() == later(7.5)


def test_an_answer_that_took_long_does_not_set_it_back(monotonic: Monotonic) -> None:
    clock = DatabaseClock(monotonic)
    clock.heard(NOON)
    monotonic.now_s += 3
    clock.heard(later(1))
    assert clock.now() == later(3)


def test_a_quicker_answer_sets_it_forward_at_once(monotonic: Monotonic) -> None:
    clock = DatabaseClock(monotonic)
    clock.heard(NOON)
    monotonic.now_s += 1
    clock.heard(later(1.2))
    assert clock.now() == later(1.2)


def test_a_database_whose_clock_is_set_back_is_followed_within_two_windows(monotonic: Monotonic) -> None:
    clock = DatabaseClock(monotonic)
    clock.heard(NOON)
    followed_after_s = 0
    while clock.now() != later(followed_after_s - 600):
        monotonic.now_s += 1
        followed_after_s += 1
        clock.heard(later(followed_after_s - 600))
        assert followed_after_s <= 2 * WINDOW_S + 1
    assert followed_after_s > WINDOW_S


def test_what_was_heard_long_ago_counts_no_more_once_something_is_heard_again(monotonic: Monotonic) -> None:
    clock = DatabaseClock(monotonic)
    clock.heard(NOON)
    monotonic.now_s += 100
    clock.heard(later(90))
    assert clock.now() == later(90)


def test_in_doubt_the_next_answer_is_believed(monotonic: Monotonic) -> None:
    clock = DatabaseClock(monotonic)
    clock.heard(NOON)
    clock.forget()
    clock.heard(later(-600))
    assert clock.now() == later(-600)


def test_the_time_is_aware_and_in_utc(monotonic: Monotonic) -> None:
    clock = DatabaseClock(monotonic)
    clock.heard(datetime.fromisoformat("2026-11-22T12:00:00+08:00"))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC
