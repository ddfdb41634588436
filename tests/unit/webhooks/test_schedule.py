"""Sixteen tries over a day."""

from __future__ import annotations

import pytest

from gateway.webhooks.schedule import RETRY_AFTER_S_MAX, TRIES_MAX, WAITS_S, next_wait_s

_HOUR_S = 3_600


def test_there_are_sixteen_tries_over_a_day_each_later_than_the_one_before() -> None:
    assert TRIES_MAX == 16
    assert 24 * _HOUR_S <= sum(WAITS_S) < 24.5 * _HOUR_S
    assert sorted(WAITS_S) == list(WAITS_S)


@pytest.mark.parametrize("tries", range(1, TRIES_MAX))
def test_a_wait_is_the_tables_give_or_take_a_tenth(tries: int) -> None:
    waits = [next_wait_s(tries) for _ in range(50)]
    assert all(wait is not None and 0.9 <= wait / WAITS_S[tries - 1] <= 1.1 for wait in waits)
    assert len(set(waits)) > 1


@pytest.mark.parametrize("tries", [TRIES_MAX, TRIES_MAX + 1, 100])
def test_after_the_last_try_there_is_none(tries: int) -> None:
    assert next_wait_s(tries) is None
    assert next_wait_s(tries, retry_after_s=5) is None


@pytest.mark.parametrize(
    ("tries", "asked_s", "least_s", "most_s"),
    [(1, 60, 60, 60), (1, 1, 4.5, 5.5), (1, 10**9, RETRY_AFTER_S_MAX, RETRY_AFTER_S_MAX), (9, 60, 4_860, 5_940)],
)
def test_an_endpoint_that_asks_for_time_gets_it_up_to_an_hour(
    tries: int, asked_s: int, least_s: float, most_s: float
) -> None:
    wait = next_wait_s(tries, asked_s)
    assert wait is not None
    assert least_s <= wait <= most_s
