"""The engine decides as if it looked at every rule, one by one, in the order of their priorities."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.kernel.expressions import Value, check
from risk.decision import APPROVED, Action, Decision, Verdict
from risk.engine import decide, share_of
from risk.facts import CodeType, Facts
from risk.fields import FIELDS
from risk.rules import artefact
from risk.rules.compiled import NO_RULES, SEVERITY, CompiledSet
from risk.rules.rule import Mode, Rule, RuleSet, Thresholds
from risk.values import replayed, values_of

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
FAST = "velocity('count', 'customer', '1h')"
SHARE = "velocity('fraud_share', 'terminal', '28d')"
LISTED = "listed('block', 'ip')"
CONDITIONS = (
    "true",
    "payment.amount > 5000",
    "payment.amount > 5000 || payment.wallet == 'alipay'",
    f"{FAST} >= 3",
    f"!({FAST} >= 3)",
    f"{SHARE} > 0.25 && payment.hour >= 12",
    LISTED,
    f"!{LISTED}",
    "known(payment.store_id)",
    "!known(customer.orders)",
    "customer.first_payment && payment.amount % 100 == 0",
    "'vip' in customer.segments",
    "payment.card_bin.startsWith('62')",
    "travel.speed_kmh > 500.0",
    "model.score > 0.9",
)


def payment(**named: Any) -> Facts:
    plain = {
        "merchant_id": "mer_a",
        "order_key": "mer_a:1",
        "amount_fen": 100,
        "method": "barcode",
        "code_type": CodeType.BARCODE,
        "at": NOW,
        "timezone": "Asia/Shanghai",
    }
    return Facts(**(plain | named))


RULES = st.builds(
    lambda when, action, score, mode, rollout, priority, merchants: {
        "when": check(when, FIELDS),
        "action": action,
        "score": score,
        "mode": mode,
        "rollout": rollout,
        "priority": priority,
        "merchants": tuple(merchants),
    },
    st.sampled_from(CONDITIONS),
    st.sampled_from(Action),
    st.integers(0, 60),
    st.sampled_from((Mode.LIVE, Mode.LIVE, Mode.SHADOW)),
    st.sampled_from((0, 1, 30, 50, 99, 100, 100, 100)),
    st.integers(0, 3),
    st.lists(st.sampled_from(("mer_a", "mer_b")), max_size=2, unique=True),
)
THRESHOLDS = st.sampled_from((Thresholds(), Thresholds(40), Thresholds(None, 70), Thresholds(30, 60)))
FEATURES = st.fixed_dictionaries(
    {},
    optional={
        FAST: st.none() | st.integers(0, 5),
        SHARE: st.none() | st.floats(0, 1),
        LISTED: st.none() | st.booleans(),
        "customer.orders": st.none() | st.integers(0, 2),
        "customer.first_payment": st.none() | st.booleans(),
        "customer.segments": st.none() | st.sampled_from(((), ("vip",), ("new", "vip"))),
        "travel.speed_kmh": st.none() | st.floats(0, 1_000),
        "model.score": st.none() | st.floats(0, 1),
    },
)
PAYMENTS = st.builds(
    payment,
    merchant_id=st.sampled_from(("mer_a", "mer_b", "mer_c")),
    amount_fen=st.sampled_from((1, 5_000, 5_001, 70_000)),
    wallet=st.sampled_from((None, "wechat", "alipay")),
    customer=st.none() | st.sampled_from(("aa", "bb", "cc")),
    store_id=st.none() | st.just("s-1"),
    card_bin=st.none() | st.sampled_from(("622848", "411111")),
    order_key=st.sampled_from(("mer_a:1", "mer_a:2")),
)


def rule(code: str, when: str = "true", action: Action = Action.DECLINE, **more: Any) -> Rule:
    return Rule(code, check(when, FIELDS), action, **more)


def compiled(*rules: Rule, thresholds: Thresholds | None = None) -> CompiledSet:
    return CompiledSet.of(RuleSet(rules, thresholds or Thresholds()), 7)


def decided(*rules: Rule, facts: Facts | None = None, thresholds: Thresholds | None = None) -> Decision:
    facts = facts or payment()
    rule_set = compiled(*rules, thresholds=thresholds)
    return decide(rule_set, values_of(rule_set, facts, {}), facts)


def one_by_one(rule_set: RuleSet, values: dict[str, Value | None], facts: Facts) -> dict[str, Any]:
    """The decision by the words of the documentation, looking at each rule alone."""
    hits = [
        each
        for each in sorted(rule_set.rules, key=lambda each: (-each.priority, each.code))
        if each.when.evaluate(values) is True and (not each.merchants or facts.merchant_id in each.merchants)
    ]
    who = facts.customer or facts.order_key
    live = [
        each
        for each in hits
        if each.mode is Mode.LIVE and zlib.crc32(f"{each.code}\n{who}".encode()) % 100 < each.rollout
    ]
    score = min(100, sum(each.score for each in live))
    saying = [each for each in live if each.action in ("approve", "review", "decline")]
    if saying:
        decisive = [each for each in saying if each.priority == saying[0].priority]
        verdict = max((Verdict(each.action) for each in decisive), key=SEVERITY.index)
    else:
        review, decline = rule_set.thresholds
        verdict = Verdict.APPROVE
        verdict = Verdict.REVIEW if review is not None and score >= review else verdict
        verdict = Verdict.DECLINE if decline is not None and score >= decline else verdict
    return {
        "verdict": verdict,
        "score": score,
        "reasons": tuple(each.code for each in live),
        "shadow": tuple(each.code for each in hits if each not in live),
        "no_discount": any(each.action is Action.NO_DISCOUNT for each in live),
    }


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    rules=st.lists(RULES, max_size=14),
    order=st.randoms(use_true_random=False),
    thresholds=THRESHOLDS,
    features=FEATURES,
    facts=PAYMENTS,
)
def test_a_decision_is_what_looking_at_each_rule_alone_gives(
    rules: list[dict[str, Any]], order: Any, thresholds: Thresholds, features: dict[str, Any], facts: Facts
) -> None:
    named = [Rule(f"R{number}", **each) for number, each in enumerate(rules)]
    order.shuffle(named)
    rule_set = RuleSet(tuple(named), thresholds, model=1)
    in_force = CompiledSet.of(rule_set, 7)
    values = values_of(in_force, facts, {name: features.get(name) for name in in_force.names & features.keys()})
    decision = decide(in_force, values, facts)
    expected = one_by_one(rule_set, values, facts)
    assert {field: getattr(decision, field) for field in expected} == expected
    assert decision.version == 7
    assert decide(in_force, replayed(in_force, facts, decision.features or ""), facts) == decision
    pieces = iter((*artefact.pieces_of(in_force), b""))
    taken_over = artefact.read(7, pieces.__next__)
    assert decide(taken_over, values, facts) == decision
    assert taken_over.needs == in_force.needs


def test_without_a_rule_set_every_payment_is_approved() -> None:
    assert decide(NO_RULES, {}, payment()) is APPROVED
    assert not NO_RULES


def test_the_highest_priority_decides_whatever_is_severer_below_it() -> None:
    decision = decided(rule("A", priority=1), rule("B", action=Action.APPROVE, priority=2))
    assert (decision.verdict, decision.reasons) == (Verdict.APPROVE, ("B", "A"))


def test_among_equals_the_severer_decides_whichever_comes_first() -> None:
    mild, severe = Action.REVIEW, Action.DECLINE
    assert decided(rule("A", action=mild), rule("B", action=severe)).verdict is Verdict.DECLINE
    assert decided(rule("A", action=severe), rule("B", action=mild)).verdict is Verdict.DECLINE


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(39, Verdict.APPROVE), (40, Verdict.REVIEW), (79, Verdict.REVIEW), (80, Verdict.DECLINE), (100, Verdict.DECLINE)],
)
def test_the_score_decides_where_no_rule_does(score: int, verdict: Verdict) -> None:
    decision = decided(rule("A", action=Action.SCORE, score=score), thresholds=Thresholds(40, 80))
    assert (decision.verdict, decision.score) == (verdict, score)


def test_a_rule_that_approves_stands_above_the_score() -> None:
    scored = rule("A", action=Action.SCORE, score=100, priority=9)
    decision = decided(scored, rule("B", action=Action.APPROVE), thresholds=Thresholds(40, 80))
    assert (decision.verdict, decision.score) == (Verdict.APPROVE, 100)


def test_the_score_ends_at_a_hundred_and_what_is_in_shadow_adds_nothing() -> None:
    live = [rule(f"L{number}", action=Action.SCORE, score=60) for number in range(3)]
    assert decided(*live).score == 100
    assert decided(live[0], *(replace(each, mode=Mode.SHADOW) for each in live[1:])).score == 60


def test_a_rule_in_shadow_is_named_apart_and_decides_nothing() -> None:
    decision = decided(rule("A", mode=Mode.SHADOW), rule("B", action=Action.NO_DISCOUNT, mode=Mode.SHADOW))
    assert decision == Decision(Verdict.APPROVE, 0, (), False, ("A", "B"), 7, "[]", at=payment().at)


def test_a_rule_that_withholds_the_discount_lets_the_payment_through() -> None:
    decision = decided(rule("A", action=Action.NO_DISCOUNT))
    assert (decision.verdict, decision.no_discount, decision.reasons) == (Verdict.APPROVE, True, ("A",))


def test_a_roll_out_sees_a_customer_the_same_each_time_and_about_its_share_of_them() -> None:
    half = rule("A", rollout=50)
    seen = [payment(customer=f"{number:032x}", order_key=f"m:{number}") for number in range(2_000)]
    applied = [decided(half, facts=facts).reasons == ("A",) for facts in seen]
    again = [decided(half, facts=facts._replace(order_key="m:another")).reasons == ("A",) for facts in seen]
    assert applied == again
    assert 900 < sum(applied) < 1_100
    assert all(decided(half, facts=facts).shadow == ("A",) for facts, hit in zip(seen, applied, strict=True) if not hit)


def test_a_larger_roll_out_keeps_those_whom_the_smaller_one_had() -> None:
    customers = [payment(customer=f"{number:032x}") for number in range(300)]
    shares = [share_of("A", facts) for facts in customers]
    for rollout in (0, 10, 50, 100):
        applied = [bool(decided(rule("A", rollout=rollout), facts=facts).reasons) for facts in customers]
        assert applied == [share < rollout for share in shares]
    assert {share_of("B", facts) for facts in customers[:9]} != set(shares[:9])


def test_who_is_not_known_is_seen_by_the_payment() -> None:
    assert share_of("A", payment(order_key="m:1")) == share_of("A", payment(customer="m:1", order_key="m:2"))


def test_a_rule_of_some_merchants_hits_no_other() -> None:
    mine = rule("A", merchants=("mer_a", "mer_b"))
    assert decided(mine, facts=payment(merchant_id="mer_b")).reasons == ("A",)
    assert decided(mine, facts=payment(merchant_id="mer_c")).reasons == ()


def test_what_is_not_known_hits_neither_a_rule_nor_its_opposite() -> None:
    assert decided(rule("A", f"{FAST} >= 1"), rule("B", f"!({FAST} >= 1)")).reasons == ()


def test_a_decision_keeps_what_the_request_does_not_say_in_the_order_of_the_names() -> None:
    rule_set = compiled(rule("A", f"payment.amount > 1 && {FAST} > 1 && payment.hour > 1 && 'x' in customer.segments"))
    values = values_of(rule_set, payment(), {FAST: 3, "customer.segments": ("x", "y")})
    decision = decide(rule_set, values, payment())
    assert rule_set.seen == ("customer.segments", "payment.hour", FAST)
    assert orjson.loads(decision.features or "") == [["x", "y"], 14, 3]
    assert decision.reasons == ("A",)
