"""Arrivals are Poisson: due whatever happens, and late by the clock."""

import random
from itertools import islice, pairwise
from statistics import fmean, pstdev, variance

import pytest

from loadtests.traffic.arrivals import late_ms, poisson


def test_gaps_are_exponential_with_the_rate_as_their_inverse() -> None:
    moments_s = [100.0, *islice(poisson(4.0, 100.0, random.Random(7)), 40_000)]
    gaps_s = [later - earlier for earlier, later in pairwise(moments_s)]
    assert min(gaps_s) > 0
    assert fmean(gaps_s) == pytest.approx(0.25, rel=0.02)
    assert pstdev(gaps_s) == pytest.approx(0.25, rel=0.03), "an exponential distribution's deviation is its mean"


def test_the_same_seed_gives_the_same_moments_and_another_one_does_not() -> None:
    moments_s = list(islice(poisson(1_000, 50.0, random.Random(7)), 100))
    assert moments_s == list(islice(poisson(1_000, 50.0, random.Random(7)), 100))
    assert moments_s[0] != next(poisson(1_000, 50.0, random.Random(8)))


def test_streams_of_one_a_second_add_up_to_a_poisson_stream() -> None:
    chooser = random.Random(11)
    seconds = [0] * 200
    for _ in range(50):
        for due_s in poisson(1.0, 0.0, chooser):
            if due_s >= 200:
                break
            seconds[int(due_s)] += 1
    assert fmean(seconds) == pytest.approx(50, rel=0.03)
    assert variance(seconds) == pytest.approx(50, rel=0.25), "of a Poisson distribution the variance is the mean"


def test_what_begins_early_is_not_late() -> None:
    assert late_ms(10.0, 9.9) == 0.0
    assert late_ms(10.0, 10.25) == pytest.approx(250.0)
