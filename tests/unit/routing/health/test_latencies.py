"""Percentiles from buckets: within a bucket of the truth, decayed, infinite while nothing is known."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from routing.health.latencies import BOUNDS_S, BUCKETS, Latencies, bucket_of


@given(st.floats(0, 1e6))
def test_a_latency_lies_within_its_bucket(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert 0 <= bucket < BUCKETS
    assert seconds <= BOUNDS_S[bucket] * (1 + 1e-9) or bucket == BUCKETS - 1
    assert bucket == 0 or seconds > BOUNDS_S[bucket - 1] * (1 - 1e-9)


@given(st.integers(0, 1_000), st.integers(1_000, 3_000))
def test_percentiles_are_at_most_a_fifth_above_the_truth(seed: int, count: int) -> None:
    rng = random.Random(seed)
    values = sorted(rng.lognormvariate(-1, 0.7) for _ in range(count))
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    for share, found in zip((0.5, 0.99, 0.999), latencies.percentiles(), strict=True):
        # The smallest value that at most (1 - share) of all lie above.
        truth = values[math.ceil(share * count - 1e-9) - 1]
        assert truth * (1 - 1e-9) <= found <= truth * 1.19


def test_without_answers_every_percentile_is_infinite_and_few_answers_do_not_tell_the_slowest() -> None:
    latencies = Latencies()
    assert latencies.percentiles() == (math.inf, math.inf, math.inf)
    latencies.add(0.5)
    assert all(0.5 <= found < 0.6 for found in latencies.percentiles())
    assert not latencies.tells_the_slowest


def test_what_others_measured_counts_until_they_tell_something_else() -> None:
    latencies = Latencies()
    for _ in range(10):
        latencies.add(0.1)
    latencies.hear([(bucket_of(5.0), 30.0)])
    assert latencies.percentiles()[0] > 4
    latencies.hear([])
    assert latencies.percentiles()[2] < 0.2


def test_decay_forgets() -> None:
    latencies = Latencies()
    for _ in range(1_000):
        latencies.add(8.0)
    latencies.decay(0.001)
    for _ in range(100):
        latencies.add(0.1)
    assert latencies.percentiles()[0] < 0.2
