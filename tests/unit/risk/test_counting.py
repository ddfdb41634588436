"""Decisions and the hits of rules are counted; of many rules a process keeps those that earn a row."""

from __future__ import annotations

from prometheus_client import REGISTRY

from gateway.kernel.hot_metrics import flush_hot_metrics
from risk.counting import count
from risk.decision import Decision, Missed, Verdict


def total(name: str, **labels: str) -> float:
    flush_hot_metrics()
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counted(rule: str, mode: str = "live") -> float:
    return total("mashang_risk_rule_hits_total", rule=rule, mode=mode)


def decision(*reasons: str, shadow: tuple[str, ...] = ()) -> Decision:
    return Decision(Verdict.REVIEW, 0, reasons, shadow=shadow, version=1)


def test_a_hit_is_counted_once_and_one_in_shadow_apart() -> None:
    count(decision("S_1", shadow=("S_2", "S_1")), 0.001)
    count(decision("S_1"), 0.001)
    assert (counted("S_1"), counted("S_1", "shadow"), counted("S_2", "shadow")) == (2, 1, 1)


def test_a_decision_that_was_refused_for_the_tolerance_is_counted_as_unavailable() -> None:
    before = total("mashang_risk_decisions_total", verdict="unavailable"), total("mashang_risk_decision_seconds_count")
    missed = total("mashang_risk_features_missed_total", reason="away")
    count(Decision(Verdict.APPROVE, 0, (), missed=Missed.AWAY, beyond_tolerance=True, version=1), 0.004)
    assert total("mashang_risk_decisions_total", verdict="unavailable") == before[0] + 1
    assert total("mashang_risk_decision_seconds_count") == before[1] + 1
    assert total("mashang_risk_features_missed_total", reason="away") == missed + 1
