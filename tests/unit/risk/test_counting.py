"""Hits of rules are counted by name for the busiest only, so that no rule set can flood the metrics."""

from __future__ import annotations

from prometheus_client import REGISTRY

from gateway.kernel.hot_metrics import flush_hot_metrics
from risk.counting import NAMED_MAX, OTHER, Hits, count
from risk.decision import Decision, Missed, Verdict


def counted(rule: str, mode: str = "live") -> float:
    return REGISTRY.get_sample_value("mashang_risk_rule_hits_total", {"rule": rule, "mode": mode}) or 0.0


def decision(*reasons: str, shadow: tuple[str, ...] = ()) -> Decision:
    return Decision(Verdict.REVIEW, 0, reasons, shadow=shadow, version=1)


def test_the_busiest_rules_are_named_and_the_rest_is_counted_together() -> None:
    hits, before = Hits(), counted(OTHER)
    for number in range(NAMED_MAX + 20):
        for _ in range(1 if number < 20 else 2):
            hits.count(decision(f"T_{number}"))
    hits.flush()
    assert [counted(f"T_{number}") for number in range(NAMED_MAX + 20)] == [0] * 20 + [2] * NAMED_MAX
    assert counted(OTHER) - before == 20


def test_a_process_keeps_to_the_names_that_it_has_and_counts_every_hit_once() -> None:
    hits, before = Hits(), counted(OTHER)
    for number in range(NAMED_MAX):
        hits.count(decision(f"U_{number}"))
    hits.flush()
    for _ in range(5):
        hits.count(decision("U_late", "U_0"))
    hits.flush()
    hits.flush()
    assert (counted("U_late"), counted(OTHER) - before, counted("U_0")) == (0, 5, 6)


def test_a_hit_in_shadow_is_counted_apart() -> None:
    hits = Hits()
    hits.count(decision("S_1", shadow=("S_2", "S_1")))
    hits.flush()
    assert (counted("S_1"), counted("S_1", "shadow"), counted("S_2", "shadow")) == (1, 1, 1)


def test_a_decision_that_was_refused_for_the_tolerance_is_counted_as_unavailable() -> None:
    def total(name: str, **labels: str) -> float:
        flush_hot_metrics()
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = total("mashang_risk_decisions_total", verdict="unavailable"), total("mashang_risk_decision_seconds_count")
    missed = total("mashang_risk_features_missed_total", reason="away")
    count(Decision(Verdict.APPROVE, 0, (), missed=Missed.AWAY, beyond_tolerance=True, version=1), 0.004)
    assert total("mashang_risk_decisions_total", verdict="unavailable") == before[0] + 1
    assert total("mashang_risk_decision_seconds_count") == before[1] + 1
    assert total("mashang_risk_features_missed_total", reason="away") == missed + 1
