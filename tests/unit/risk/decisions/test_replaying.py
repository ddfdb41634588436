"""A decision is made again of what was stored, bit for bit; whatever was changed is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.decision import Decision, Missed, Verdict
from risk.decisions.replaying import differences
from risk.decisions.store import StoredDecision
from risk.engine import decide
from risk.facts import CodeType, Facts, Location
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.values import values_of

COUNT, SHARE = "velocity('count', 'customer', '1h')", "velocity('fraud_share', 'terminal', '7d')"
AT = datetime(2026, 11, 22, 3, 4, 5, 678901, UTC)
FACTS = Facts("mer_1", "mer_1:A1", 2_599, "barcode", CodeType.BARCODE, AT, "Asia/Shanghai", customer="ab" * 16)


def compiled(*rules: dict[str, Any]) -> CompiledSet:
    document = {"note": "", "rules": [*rules], "thresholds": {"review": 20, "decline": 60}}
    return CompiledSet.of(parse(document, lists=None, models=None), 3)


RULES = compiled(
    {"code": "A", "when": f"{COUNT} >= 3", "action": "score", "score": 30},
    {"code": "B", "when": f"{SHARE} > 0.1 && payment.distance_km > 5.0", "action": "decline", "rollout": 40},
    {"code": "C", "when": "payment.hour >= 11 && payment.region == 'x'", "action": "no_discount", "mode": "shadow"},
    {"code": "D", "when": "'vip' in customer.segments", "action": "approve", "priority": 9},
)


def stored(facts: Facts, features: dict[str, Any]) -> StoredDecision:
    decision = decide(RULES, values_of(RULES, facts, features), facts)
    return StoredDecision("pay_1", facts.merchant_id, decision._replace(at=facts.at))


places = st.one_of(st.none(), st.builds(Location, st.floats(-90, 90), st.floats(-180, 180)))
features = st.fixed_dictionaries(
    {
        COUNT: st.one_of(st.none(), st.integers(0, 9)),
        SHARE: st.one_of(st.none(), st.floats(0, 1)),
        "customer.segments": st.one_of(st.none(), st.sampled_from([(), ("vip",), ("a", "vip")])),
    }
)


@given(
    features=features,
    place=places,
    store=places,
    region=st.sampled_from([None, "x", "y"]),
    customer=st.one_of(st.none(), st.text("0123456789abcdef", min_size=32, max_size=32)),
)
def test_a_replay_elsewhere_and_at_another_time_of_day_comes_out_the_same(
    features: dict[str, Any], place: Any, store: Any, region: str | None, customer: str | None
) -> None:
    facts = FACTS._replace(location=place, store_location=store, region=region, customer=customer)
    moved = facts._replace(timezone="America/New_York", region=None, store_location=None, at=AT + timedelta(hours=7))
    assert differences(stored(facts, features), RULES, moved) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": Verdict.DECLINE},
        {"score": 31},
        {"reasons": ()},
        {"no_discount": True},
        {"shadow": ("A",)},
    ],
)
def test_whatever_is_not_as_it_was_is_found(change: dict[str, Any]) -> None:
    was = stored(FACTS, {COUNT: 3})
    assert was.decision.reasons == ("A",)
    tampered = StoredDecision(was.payment_id, was.merchant_id, was.decision._replace(**change))
    assert [found.field for found in differences(tampered, RULES, FACTS)] == list(change)


def test_that_features_were_missed_is_no_difference_for_they_are_stored_as_null() -> None:
    was = stored(FACTS, {})
    missed: Decision = was.decision._replace(missed=Missed.AWAY, beyond_tolerance=True)
    assert differences(StoredDecision("pay_1", "mer_1", missed), RULES, FACTS) == ()


def test_features_of_other_names_are_a_difference_and_no_crash() -> None:
    was = stored(FACTS, {COUNT: 3})
    fewer = StoredDecision("pay_1", "mer_1", was.decision._replace(features="[3]"))
    assert [found.field for found in differences(fewer, RULES, FACTS)] == ["features"]
