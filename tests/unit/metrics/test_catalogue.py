"""The catalogue: Prometheus' conventions, closed sets of labels, less than 2,000 series, and the page that shows it."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from typing import Any

import pytest
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from gateway.kernel import business_metrics, metrics
from gateway.kernel.failures import FailureCode
from gateway.kernel.hot_metrics import RANKED
from gateway.metrics.catalogue import PAGE, collector_of, entries, page
from gateway.metrics.families import families_of, text_of
from gateway.metrics.ranking import TOLD_MAX
from gateway.payments.states import Status
from promotions.offer import Reason as OfferReason
from promotions.reporting.gauges import CAMPAIGNS_MAX, DETAILED_MAX
from risk.cases.case import Channel, Kind
from risk.decision import Missed, Verdict
from risk.labels.label import Source
from risk.rules.rule import Mode
from routing.channels.base import Wallet
from routing.choice import Reason, Why

SIZES = {
    "wallet": len(Wallet) + 1, "phase": 5, "call": 7, "account": 6, "batch": 6, "area": 18, "step": 4, "reason": 8,
    "kind": len(Kind), "role": 1, "version": 1, "loop": 2, "result": 3, "way": 2,
}  # fmt: skip
"""How many values a label has in a busy process with six channel accounts; a new label has to be added here.  A gateway
makes seven kinds of calls (pay, query, reverse, close, and three for codes and pages), a worker six."""
PAIRS = 4 + 2 * len(Wallet)
"""Of wallet and account: four direct accounts have one wallet each, two fronts have all."""
TOGETHER = {
    # A failure belongs to one status, a refusal before any channel to none: what occurs together is far fewer.
    "mashang_payments": len(Status) * (len(Wallet) + 1),
    "mashang_payments_ended": 6 * (len(FailureCode) + 6),
    "mashang_turnover_fen": PAIRS,
    "mashang_turnover_reversed_fen": PAIRS,
    "mashang_refunded_fen": PAIRS,
    "mashang_discount_fen": TOLD_MAX + 1,
    "mashang_routing_choices": 6 * (len(Why) - 1),
    "mashang_routing_exhausted": len(Reason) + 1,
    "mashang_http_requests": 48 * 3,
    "mashang_recovery_steps": 4 * 5,
    "mashang_late_captures": 3,
    "mashang_coupon_claims": 12,
    "mashang_callbacks": 6 * 10,
    "mashang_callbacks_applied": 6 * 5,
    "mashang_refunds": PAIRS * 3,
    "mashang_refund_steps": 4 * 5,
    "mashang_webhook_deliveries": 18,
    "mashang_webhook_delivery_seconds": 4,
    "mashang_review_verdicts": 12,
    "mashang_risk_decisions": len(Verdict) + 1,
    "mashang_risk_features_missed": len(Missed),
    "mashang_risk_rule_hits": TOLD_MAX + len(Mode),
    "mashang_risk_case_verdicts": len(Kind) * 2,
    "mashang_risk_complaints": len(Channel),
    "mashang_risk_labels": len(Source) * 2,
}
OF_WORKER = {
    *("mashang_recovery_steps", "mashang_refund_steps", "mashang_late_captures", "mashang_coupon_rewards"),
    *("mashang_webhook_deliveries", "mashang_webhook_delivery_seconds", "mashang_webhook_endpoints_disabled"),
    *("mashang_risk_cases_open", "mashang_risk_cases_overdue", "mashang_risk_cases_oldest_age_seconds"),
    "mashang_worker_turned_timestamp_seconds",
}
OF_GATEWAY = {
    *("mashang_payments", "mashang_payment_seconds", "mashang_payment_phase_seconds", "mashang_http_requests"),
    *("mashang_http_request_seconds", "mashang_routing_choices", "mashang_routing_exhausted", "mashang_refused"),
    *("mashang_claims", "mashang_callbacks", "mashang_coupon_claims", "mashang_risk_decisions"),
    *("mashang_risk_decision_seconds", "mashang_risk_rule_hits", "mashang_risk_case_seconds", "mashang_failovers"),
    *("mashang_risk_case_verdicts", "mashang_risk_complaints", "mashang_risk_labels", "mashang_review_verdicts"),
}
CAMPAIGNS = CAMPAIGNS_MAX * 6 + 1 + DETAILED_MAX * (2 + len(OfferReason) - 1)


def collectors() -> list[MetricWrapperBase]:
    declared = [*vars(metrics).values(), *vars(business_metrics).values()]
    found: list[Any] = [collector_of(each) for each in declared]
    return [each for each in found if isinstance(each, MetricWrapperBase)]


def series_of(collector: MetricWrapperBase, calls: int) -> int:
    """The most children that it can have, times the samples of each."""
    sizes, together = SIZES | {"call": calls}, TOGETHER | {"mashang_channel_calls": 6 * calls * 5}
    children = together.get(collector._name) or math.prod(sizes[label] for label in collector._labelnames)
    return children * (len(collector._kwargs["buckets"]) + 3 if isinstance(collector, Histogram) else 1)


@pytest.mark.parametrize(
    ("others", "more", "calls"), [(OF_WORKER, 0, 7), (OF_GATEWAY, CAMPAIGNS, 6)], ids=["gateway", "worker"]
)
def test_a_process_with_all_accounts_100_campaigns_and_100_rules_stays_below_2_000_series(
    others: set[str], more: int, calls: int
) -> None:
    found = collectors()
    assert len(found) >= 80
    assert others <= {collector._name for collector in found}
    series = {each._name: series_of(each, calls) for each in found if each._name not in others}
    assert sum(series.values()) + more <= 2_000, sorted(series.items(), key=lambda item: -item[1])


def test_every_label_is_a_closed_set_or_ranked() -> None:
    """Codes of merchants, orders, customers and payments are none of them; a name that people choose is ranked."""
    closed = SIZES.keys() | {
        "route",
        "status",
        "failure",
        "why",
        "method",
        "verdict",
        "mode",
        "source",
        "label",
        "channel",
    }
    for collector in collectors():
        open_labels = set(collector._labelnames) - closed
        assert open_labels == RANKED.get(collector._name, frozenset()), collector._name
    assert {entry.labels for entry in entries() if entry.name.startswith("mashang_campaign_")} == {
        ("campaign",),
        ("campaign", "reason"),
    }


def test_names_are_unique_and_keep_to_the_conventions() -> None:
    names = [entry.name for entry in entries()]
    assert len(names) == len(set(names))
    for entry in entries():
        assert re.fullmatch(r"mashang_[a-z_]+", entry.name)
        assert entry.name.endswith("_total") == ("counter" in entry.kind)
        assert not re.search(r"_(ms|us|minutes|hours|percent|kb|mb|yuan)(_|$)", entry.name)
        assert entry.about.endswith(".")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not there (apt install prometheus)")
def test_promtool_finds_nothing_to_mend_in_the_declarations() -> None:
    from prometheus_client import REGISTRY  # noqa: PLC0415  where this process counts

    families = [family for family in families_of(REGISTRY) if family.name.startswith("mashang_")]
    found = subprocess.run(
        ["promtool", "check", "metrics"], input=text_of(families), capture_output=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, b"")


def test_the_page_shows_what_the_code_declares() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "run make metrics-docs"
    for entry in entries():
        assert f"`{entry.name}`" in text
