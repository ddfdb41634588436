"""Hot metrics lose nothing, and count as those of prometheus_client do."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.kernel import hot_metrics, metrics
from gateway.kernel.hot_metrics import flush_hot_metrics, hot_counter, hot_gauge, hot_histogram


@given(st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=50))
def test_a_hot_histogram_counts_what_a_plain_one_does(values: list[float]) -> None:
    plain_registry, hot_registry = CollectorRegistry(), CollectorRegistry()
    plain = Histogram("seconds", "x", ["call"], buckets=(0.01, 1, 10), registry=plain_registry)
    hot = hot_histogram(Histogram("seconds", "x", ["call"], buckets=(0.01, 1, 10), registry=hot_registry)).labels("pay")
    for position, value in enumerate(values):
        plain.labels("pay").observe(value)
        hot.observe(value)
        if position % 7 == 0:
            hot.flush()
    hot.flush()
    hot_metrics._PENDING.remove(hot)
    for family, other in zip(hot_registry.collect(), plain_registry.collect(), strict=True):
        for sample, expected in zip(family.samples, other.samples, strict=True):
            if not sample.name.endswith("_created"):
                assert sample.value == pytest.approx(expected.value)


def test_a_hot_counter_carries_over_everything_once() -> None:
    registry = CollectorRegistry()
    counted = hot_counter(Counter("things", "x", ["kind"], registry=registry)).labels("a")
    counted.inc()
    counted.inc(2)
    flush_hot_metrics()
    flush_hot_metrics()
    assert registry.get_sample_value("things_total", {"kind": "a"}) == 3


def test_a_hot_gauge_tells_what_it_was_set_to_last() -> None:
    registry = CollectorRegistry()
    gauge = hot_gauge(Gauge("waiting", "x", ["kind"], registry=registry)).labels("a")
    for value in (3.0, 2.0):
        gauge.set(value)
    flush_hot_metrics()
    assert registry.get_sample_value("waiting", {"kind": "a"}) == 2
    gauge.set(0.0)
    flush_hot_metrics()
    assert registry.get_sample_value("waiting", {"kind": "a"}) == 0


def test_the_buckets_of_every_histogram_rise() -> None:
    for bounds in (
        metrics._SECONDS,
        metrics._STEP_SECONDS,
        metrics._CHANNEL_SECONDS,
        metrics._HTTP_SECONDS,
        metrics._ROWS,
    ):
        assert all(low < high for low, high in pairwise(bounds))
