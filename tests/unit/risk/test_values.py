"""A payment's values are those of its request, its place and its time, and only those that the rules look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest

from gateway.kernel.expressions import FieldType, check
from risk.decision import Action
from risk.distance import distance_km
from risk.facts import CodeType, Facts, Location
from risk.fields import FIELDS, MODEL_SCORE, PROFILE_FIELDS, TRAVEL_FIELDS
from risk.rules.compiled import CompiledSet
from risk.rules.rule import Rule, RuleSet
from risk.values import kept, replayed, values_of

SHANGHAI, BEIJING = Location(31.2304, 121.4737), Location(39.9042, 116.4074)
FACTS = Facts(
    merchant_id="mer_a",
    order_key="mer_a:1",
    amount_fen=1_234,
    method="qrcode",
    code_type=CodeType.DYNAMIC,
    at=datetime(2026, 12, 31, 16, 5, tzinfo=UTC),
    timezone="Asia/Shanghai",
    wallet="wechat",
    store_id="s-1",
    terminal_id="t-1",
    operator_id="o-1",
    region="上海",
    category="cafe",
    code_id="cod_1",
    customer="aa",
    device=None,
    ip="203.0.113.7",
    card_bin="622848",
    location=BEIJING,
    store_location=SHANGHAI,
    device_rooted=True,
    merchant_since=datetime(2026, 12, 30, 17, tzinfo=UTC),
    merchant_tier="gold",
    has_coupon=True,
)
VALUES = {
    "payment.amount": 1_234,
    "payment.method": "qrcode",
    "payment.code_type": "dynamic",
    "payment.wallet": "wechat",
    "payment.merchant_id": "mer_a",
    "payment.store_id": "s-1",
    "payment.terminal_id": "t-1",
    "payment.operator_id": "o-1",
    "payment.region": "上海",
    "payment.category": "cafe",
    "payment.code": "cod_1",
    "payment.card_bin": "622848",
    "payment.ip": "203.0.113.7",
    "payment.has_coupon": True,
    "payment.date": "2027-01-01",
    "payment.month": 1,
    "payment.day": 1,
    "payment.weekday": 5,
    "payment.hour": 0,
    "payment.minute": 5,
    "merchant.age_days": 0,
    "merchant.tier": "gold",
    "device.known": False,
    "device.rooted": True,
    "customer.known": True,
}
TESTS = {
    FieldType.BOOL: "{}",
    FieldType.INT: "{} == 1",
    FieldType.DOUBLE: "{} == 1.0",
    FieldType.STRING: "{} == 'x'",
    FieldType.STRING_LIST: "'x' in {}",
}
ASKED_APART = PROFILE_FIELDS | TRAVEL_FIELDS | {MODEL_SCORE}


def looking_at(*names: str) -> CompiledSet:
    """A set with a rule for each of these fields."""
    tests = [TESTS[FIELDS.fields[name].type].format(name) for name in names]
    rules = [Rule(f"R{number}", check(test, FIELDS), Action.REVIEW) for number, test in enumerate(tests)]
    return CompiledSet.of(RuleSet(tuple(rules)), 1)


def test_every_field_has_its_value() -> None:
    names = FIELDS.fields.keys() - ASKED_APART
    values = values_of(looking_at(*names), FACTS, {})
    distance = values.pop("payment.distance_km")
    assert values == VALUES
    assert distance == pytest.approx(1_067, abs=2)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_only_what_the_rules_look_at_is_worked_out(name: str) -> None:
    assert values_of(looking_at(name), FACTS, {}) == {name: VALUES[name]}


def test_features_stand_beside_them() -> None:
    rules = looking_at("customer.orders", "payment.amount")
    assert values_of(rules, FACTS, {"customer.orders": 3}) == {"customer.orders": 3, "payment.amount": 1_234}


@pytest.mark.parametrize(
    "changes", [{"location": None}, {"store_location": None}, {"location": None, "store_location": None}]
)
def test_without_both_places_there_is_no_distance(changes: dict[str, Any]) -> None:
    name = "payment.distance_km"
    assert values_of(looking_at(name), FACTS._replace(**changes), {}) == {name: None}


def test_a_merchant_that_this_clock_does_not_know_yet_is_new() -> None:
    early = FACTS._replace(at=FACTS.at - timedelta(days=9))
    assert values_of(looking_at("merchant.age_days"), early, {}) == {"merchant.age_days": 0}
    late = FACTS._replace(at=FACTS.at + timedelta(days=9))
    assert values_of(looking_at("merchant.age_days"), late, {}) == {"merchant.age_days": 9}


class Till(StrEnum):
    WECHAT = "wechat"


def test_a_member_of_an_enum_is_found_like_its_text() -> None:
    rules = CompiledSet.of(RuleSet((Rule("A", check("payment.wallet == 'wechat'", FIELDS), Action.REVIEW),)), 1)
    assert rules.matcher.matches(values_of(rules, FACTS._replace(wallet=Till.WECHAT), {})) == (0,)


def test_what_a_decision_kept_and_the_request_give_the_same_values_again() -> None:
    rules = looking_at(*FIELDS.fields)
    seen = {"customer.orders": 2, "customer.segments": ("a", "b"), "travel.distance_km": 0.1 + 0.2, MODEL_SCORE: None}
    values = values_of(rules, FACTS, seen)
    moved = FACTS._replace(region="北京", category=None, merchant_tier=None, at=FACTS.at + timedelta(days=400))
    again = replayed(rules, moved._replace(store_location=None), kept(rules, values))
    assert {name: again.get(name) for name in values} == values
    assert again.keys() - values.keys() <= ASKED_APART


def test_distances_are_those_of_the_globe() -> None:
    assert distance_km(SHANGHAI, SHANGHAI) == 0
    assert distance_km(Location(0, 0), Location(0, 180)) == pytest.approx(20_015, abs=1)
    assert distance_km(Location(90, 0), Location(-90, 77)) == pytest.approx(20_015, abs=1)
    assert distance_km(Location(0, 179.9), Location(0, -179.9)) == pytest.approx(22.2, abs=0.1)
