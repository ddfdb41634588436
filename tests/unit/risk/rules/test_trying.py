"""The tests that are attached to rules are run against the whole set, as if it were in force."""

from __future__ import annotations

from typing import Any

from gateway.kernel.documents import PROBLEMS_MAX
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.rules.trying import failures
from tests.support.rule_sets import FAST, rule


def tried(*rules: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    """What the tests show: place, what, and a hint."""
    rule_set = parse({"rules": list(rules), **more}, lists=None, models=None)
    found = failures(rule_set, CompiledSet.of(rule_set, 0))
    return [(each.path, each.message, each.hint) for each in found]


def test_a_test_that_holds_shows_nothing() -> None:
    given = {"payment.amount": 50_001, "velocity('count', 'customer', '1h')": 5}
    assert tried(FAST | {"tests": [{"given": given, "hits": True, "verdict": "decline"}]}) == []
    assert tried(FAST | {"tests": [{"given": {}, "hits": False, "verdict": "approve"}]}) == []


def test_a_rule_that_does_not_hit_or_should_not_is_told() -> None:
    tests = [{"given": {"payment.amount": 60_000}, "hits": False}, {"given": {"payment.amount": 1}, "hits": True}]
    assert tried(rule("R", tests=tests)) == [
        ("rules.0.tests.0.hits", "R hits, and should not", "what hits: R; score 0"),
        ("rules.0.tests.1.hits", "R does not hit, and should", "no rule hits"),
    ]


def test_the_verdict_is_that_of_the_whole_set() -> None:
    test = {"given": {"payment.amount": 60_000}, "hits": True, "verdict": "review"}
    allowed = rule("R_ALLOW", "payment.amount > 100", "approve", priority=5)
    assert tried(rule("R", tests=[test])) == []
    assert tried(rule("R", tests=[test]), allowed) == [
        ("rules.0.tests.0.verdict", "the set says approve, not review", "what hits: R_ALLOW, R; score 0")
    ]


def test_scores_are_added_up_and_held_against_the_thresholds() -> None:
    test = {"given": {"payment.amount": 60_000}, "verdict": "decline"}
    rules = [rule("A", action="score", score=50, tests=[test]), rule("B", action="score", score=30)]
    assert tried(*rules, thresholds={"decline": 80}) == []
    [(_, message, hint)] = tried(*rules, thresholds={"review": 40, "decline": 81})
    assert (message, hint) == ("the set says review, not decline", "what hits: A, B; score 80")


def test_a_shadow_rule_hits_and_decides_nothing() -> None:
    test = {"given": {"payment.amount": 60_000}, "hits": True, "verdict": "approve"}
    assert tried(rule("R", action="decline", mode="shadow", tests=[test])) == []


def test_a_rule_counts_as_rolled_out_to_everybody() -> None:
    test = {"given": {"payment.amount": 60_000}, "hits": True, "verdict": "decline"}
    assert tried(rule("R", action="decline", rollout=0, tests=[test])) == []


def test_a_rule_of_some_merchants_is_tried_with_the_first_of_them() -> None:
    tests = [
        {"given": {"payment.amount": 60_000}, "hits": True},
        {"given": {"payment.amount": 60_000, "payment.merchant_id": "mer_2"}, "hits": True},
        {"given": {"payment.amount": 60_000, "payment.merchant_id": "mer_3"}, "hits": False},
    ]
    assert tried(rule("R", merchants=["mer_1", "mer_2"], tests=tests)) == []


def test_a_hundred_failures_are_told() -> None:
    tests = [{"given": {}, "hits": True}] * 20
    assert len(tried(*[rule(f"R{number}", tests=tests) for number in range(10)])) == PROBLEMS_MAX
