"""Arrivals are Poisson: due whatever happens, and late by the clock."""

import random
import statistics

import pytest

from loadtests.load.arrivals import Arrivals, late_ms


def test_gaps_are_exponential_with_the_rate_as_their_inverse() -> None:
    arrivals = Arrivals(4.0, 100.0, random.Random(7))
    moments = [arrivals.next_due_s() for _ in range(40_000)]
    gaps = [later - earlier for earlier, later in zip([100.0, *moments], moments, strict=False)]
    assert min(gaps) > 0
    assert statistics.fmean(gaps) == pytest.approx(0.25, rel=0.02)
    # An exponential distribution's deviation is its mean
    assert statistics.stdev(gaps) == pytest.approx(0.25, rel=0.03)


def test_streams_of_one_a_second_add_up_to_a_poisson_stream() -> None:
    chooser = random.Random(11)
    streams = [Arrivals(1.0, 0.0, chooser) for _ in range(50)]
    seconds = [0] * 200
    for stream in streams:
        while (due_s := stream.next_due_s()) < 200:
            seconds[int(due_s)] += 1
    assert statistics.fmean(seconds) == pytest.approx(50, rel=0.03)
    # Of a Poisson distribution the variance is the mean
    assert statistics.variance(seconds) == pytest.approx(50, rel=0.25)


def test_the_next_arrival_is_due_however_long_the_last_one_took() -> None:
    """Whoever asks late is told moments that have passed: they are sent at once, and count late."""
    prompt, slow = Arrivals(10.0, 0.0, random.Random(3)), Arrivals(10.0, 0.0, random.Random(3))
    due = [prompt.next_due_s() for _ in range(30)]
    assert [slow.next_due_s() for _ in range(30)] == due
    now_s = 5.0
    assert sum(late_ms(each, now_s) > 0 for each in due) == sum(each < now_s for each in due) > 20


def test_what_begins_early_is_not_late() -> None:
    assert late_ms(10.0, 9.9) == 0.0
    assert late_ms(10.0, 10.25) == pytest.approx(250.0)
