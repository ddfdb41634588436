"""The token bucket against what it promises: never more than burst + rate × time, and as much as that when asked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admission.bucket import TokenBucket

gaps = st.lists(st.floats(-1, 5, allow_nan=False), max_size=200)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), gaps)
def test_no_stretch_of_time_gives_more_than_the_burst_and_the_rate(per_s: int, burst: int, waits: list[float]) -> None:
    bucket, now = TokenBucket(per_s, burst, 0.0), 0.0
    taken: list[float] = []
    latest = 0.0
    for wait in waits:
        now += wait
        latest = max(latest, now)
        if bucket.take(now):
            taken.append(latest)
    for first in range(len(taken)):
        stretch = taken[-1] - taken[first]
        assert len(taken) - first <= burst + per_s * stretch + 1e-6


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(2, 500))
def test_who_asks_all_the_time_gets_the_burst_and_then_the_rate(per_s: int, burst: int) -> None:
    bucket = TokenBucket(per_s, burst, 0.0)
    assert sum(bucket.take(0.0) for _ in range(burst + 10)) == burst
    asked = [bucket.take(1.0 + step / (4 * per_s)) for step in range(8 * per_s)]
    assert sum(asked) == pytest.approx(min(burst, per_s) + 2 * per_s, abs=2)


def test_what_it_says_of_itself_is_true() -> None:
    bucket = TokenBucket(2, 4, 0.0)
    assert (bucket.remaining(0.0), bucket.full_s(0.0)) == (4, 0)
    for _ in range(4):
        assert bucket.take(0.0)
    assert (bucket.remaining(0.0), bucket.next_s(0.0), bucket.full_s(0.0)) == (0, 1, 2)
    assert not bucket.take(0.4)
    assert bucket.take(0.5)


def test_a_smaller_burst_holds_at_once_and_a_larger_one_is_not_given_for_nothing() -> None:
    bucket = TokenBucket(10, 100, 0.0)
    bucket.resize(10, 5, 0.0)
    assert bucket.remaining(0.0) == 5
    bucket.resize(10, 100, 0.0)
    assert bucket.remaining(0.0) == 5
