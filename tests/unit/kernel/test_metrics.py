"""The metric catalogue: bounded series, hot metrics that lose nothing, and one scrape that sums all processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.kernel import hot_metrics, metrics
from gateway.kernel.failures import FailureCode
from gateway.kernel.hot_metrics import flush_hot_metrics, hot_counter, hot_histogram
from risk.cases.case import Channel, Kind
from risk.counting import NAMED_MAX
from risk.decision import Missed, Verdict
from risk.labels.label import Source
from risk.rules.rule import Mode
from routing.choice import Reason, Why

PROCESS = """
from gateway.kernel.metrics import CHANNEL_SECONDS, IN_FLIGHT, PAYMENTS
from gateway.kernel.hot_metrics import flush_hot_metrics
for _ in range(3):
    PAYMENTS.labels("succeeded", "wechat", "wechat_direct", "").inc()
    CHANNEL_SECONDS.labels("wechat_direct", "pay").observe(0.2)
IN_FLIGHT.set(2)
flush_hot_metrics()
"""


def test_one_scrape_sums_what_two_processes_observed(tmp_path: Path) -> None:
    environment = os.environ | {"MASHANG_METRICS_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", PROCESS], check=True, env=environment, timeout=60)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(tmp_path))
    text = generate_latest(registry).decode()
    labels = 'channel="wechat_direct",reason="",status="succeeded",wallet="wechat"'
    assert f"mashang_payments_total{{{labels}}} 6.0" in text
    assert 'mashang_channel_call_seconds_count{account="wechat_direct",call="pay"} 6.0' in text
    assert 'mashang_channel_call_seconds_bucket{account="wechat_direct",call="pay",le="0.1"} 0.0' in text
    assert 'mashang_channel_call_seconds_bucket{account="wechat_direct",call="pay",le="0.25"} 6.0' in text


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


def test_the_buckets_of_every_histogram_rise() -> None:
    for bounds in (
        metrics._SECONDS,
        metrics._STEP_SECONDS,
        metrics._CHANNEL_SECONDS,
        metrics._COARSE_SECONDS,
        metrics._ROWS,
    ):
        assert all(low < high for low, high in pairwise(bounds))


SIZES = {
    "wallet": 8, "phase": 4, "call": 7, "account": 6, "batch": 6, "route": 48, "step": 4, "reason": 8,
    "kind": len(Kind),
}  # fmt: skip
"""How many values a label has in a busy process with six channel accounts; a new label has to be added here."""
TOGETHER = {
    # A reason belongs to one status, a refusal before any channel to none: what can occur together is far fewer.
    "mashang_payments": 6 * (len(FailureCode) + 6),
    "mashang_channel_calls": 6 * 7 * 5,
    "mashang_routing_choices": 6 * (len(Why) - 1),
    "mashang_routing_exhausted": len(Reason) + 1,
    "mashang_http_requests": 48 * 3,
    "mashang_recovery_steps": 4 * 5,
    "mashang_late_captures": 3,
    "mashang_claims": 3,
    "mashang_pool_reservations": 3,
    "mashang_pool_fences": 4,
    "mashang_coupon_claims": 12,
    "mashang_coupon_rewards": 3,
    "mashang_callbacks": 6 * 10,
    "mashang_callbacks_applied": 6 * 5,
    "mashang_refunds": 6 * 3,
    "mashang_refund_steps": 4 * 5,
    "mashang_webhook_deliveries": 18,
    "mashang_webhook_delivery_seconds": 4,
    "mashang_webhook_endpoints_disabled": 2,
    "mashang_review_verdicts": 12,
    "mashang_risk_decisions": len(Verdict) + 1,
    "mashang_risk_features_missed": len(Missed),
    "mashang_risk_rule_hits": NAMED_MAX + len(Mode),
    "mashang_risk_case_verdicts": len(Kind) * 2,
    "mashang_risk_complaints": len(Channel),
    "mashang_risk_labels": len(Source) * 2,
}


def test_a_busy_process_with_six_channel_accounts_stays_below_2_000_series() -> None:
    declared = list(vars(metrics).values())
    collectors = [found for found in map(inner, declared) if isinstance(found, MetricWrapperBase)]
    assert len(collectors) >= 15
    series = {collector._name: series_of(collector) for collector in collectors}
    assert sum(series.values()) < 2_000, series


def inner(metric: object) -> object:
    """The metric of prometheus_client behind a hot one."""
    make = getattr(metric, "_make", None)
    return metric if make is None else make.__closure__[0].cell_contents


def series_of(collector: MetricWrapperBase) -> int:
    """The most children that it can have, times the samples of each."""
    children = TOGETHER.get(collector._name) or math.prod(SIZES[label] for label in collector._labelnames)
    return children * (len(collector._kwargs["buckets"]) + 3 if isinstance(collector, Histogram) else 1)
