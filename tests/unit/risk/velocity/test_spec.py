"""A velocity is read from its call; what a metric counts is in one table."""

from __future__ import annotations

import pytest

from gateway.kernel.expressions.fields import Call
from risk.velocity.spec import (
    DIMENSIONS,
    DISTINCT_DIMENSIONS,
    FUNCTION,
    METRIC_SERIES,
    Metric,
    Series,
    Velocity,
    key_of,
    window_s_of,
)


def test_a_call_names_a_velocity() -> None:
    call = Call("velocity", ("count", "merchant+customer", "90m"))
    assert Velocity.of(call) == Velocity(Metric.COUNT, ("customer", "merchant"), 5_400)


@pytest.mark.parametrize(("text", "seconds"), [("1m", 60), ("24h", 86_400), ("90d", 90 * 86_400), ("9999m", 599_940)])
def test_a_window_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert window_s_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0m", "91d", "1s", "01h", "1.5h", "-1h", "1 h", "10000m", "1h "])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a window"):
        window_s_of(text)


@pytest.mark.parametrize("text", ["", "payer", "customer+customer", "customer+device+ip", "customer+", "Customer"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        key_of(text)


def test_every_metric_counts_a_series_and_every_distinct_one_a_dimension() -> None:
    assert set(METRIC_SERIES) == set(Metric)
    assert set(METRIC_SERIES.values()) == set(Series)
    assert {metric for metric in Metric if metric.startswith("distinct_")} == set(DISTINCT_DIMENSIONS)
    assert set(DISTINCT_DIMENSIONS.values()) <= set(DIMENSIONS)


def test_the_call_says_what_is_wrong_with_its_arguments() -> None:
    metric, key, window = FUNCTION.parameters
    assert metric.problem("sum") is not None
    assert key.problem("customer+merchant") is None
    assert key.problem("somebody") == f"it is one of {', '.join(DIMENSIONS)}, or two of them joined by +"
    assert window.problem("1y") == "it is a number and m, h or d, from '1m' to '90d'"
