"""What a policy says of a sale: every exclusion that matches, and the first of the rules that choose."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.expressions import check
from routing.channels.base import Wallet
from routing.policy import compiled as module
from routing.policy.compiled import NO_GUIDANCE, NO_POLICY, CompiledPolicy
from routing.policy.document import parse
from routing.policy.fields import FIELDS, values_of
from routing.policy.rules import SplitRule
from routing.sale import Method, Sale

SALE = Sale(
    seed="pay_1",
    merchant_id="mer_1",
    amount_fen=2_599,
    wallet=Wallet.WECHAT,
    method=Method.BARCODE,
    at=datetime(2026, 11, 22, 5, 7, tzinfo=ZoneInfo("Asia/Shanghai")),
    store_id="s-1",
)


def policy(*rules: dict[str, Any]) -> CompiledPolicy:
    named = [{"name": f"r{number}", **rule} for number, rule in enumerate(rules)]
    return CompiledPolicy(parse({"rules": named}, None), 7)


def test_without_rules_nothing_is_said() -> None:
    assert policy().guide(SALE) == NO_GUIDANCE
    assert NO_POLICY.guide(SALE) == NO_GUIDANCE
    assert (NO_POLICY.version, NO_POLICY.success_value, NO_POLICY.exploration, NO_POLICY.tries_max) == (
        0,
        0.3,
        0.001,
        3,
    )


def test_all_exclusions_that_match_hold_and_the_first_of_the_other_rules_decides() -> None:
    compiled = policy(
        {"when": "payment.amount > 5000", "order": ["never"]},
        {"when": "payment.amount > 2000", "exclude": ["a", "b"]},
        {"when": "payment.store_id == 's-1'", "split": {"c": 60, "d": 40}},
        {"when": "payment.wallet == 'wechat'", "prefer": ["e"]},
        {"when": "payment.hour < 6", "exclude": ["b", "c"]},
    )
    guidance = compiled.guide(SALE)
    assert guidance.excluded == {"a", "b", "c"}
    assert isinstance(guidance.steer, SplitRule)
    assert guidance.steer.name == "r2"
    assert guidance.rules == ("r1", "r2", "r3", "r4")
    elsewhere = compiled.guide(replace(SALE, store_id=None, amount_fen=6_000))
    assert (elsewhere.steer and elsewhere.steer.name, elsewhere.rules) == ("r0", ("r0", "r1", "r3", "r4"))


def test_a_rule_that_is_switched_off_says_nothing() -> None:
    compiled = policy(
        {"when": "true", "order": ["a"], "enabled": False},
        {"when": "true", "exclude": ["b"], "enabled": False},
        {"when": "true", "order": ["c"]},
    )
    assert compiled.guide(SALE).rules == ("r2",)
    assert compiled.guide(SALE).excluded == frozenset()


def test_a_condition_over_what_is_not_known_does_not_match() -> None:
    compiled = policy(
        {"when": "payment.card_bin.startsWith('62')", "exclude": ["a"]},
        {"when": "payment.card_bin != '62'", "exclude": ["a"]},
        {"when": "payment.card_bin == '62' || payment.hour == 5", "exclude": ["b"]},
    )
    assert compiled.guide(SALE).rules == ("r2",)
    assert compiled.guide(replace(SALE, card_bin="622202")).rules == ("r0", "r1", "r2")


@pytest.mark.parametrize(
    ("when", "at", "holds"),
    [
        ("payment.hour == 5 && payment.minute == 7", None, True),
        ("payment.weekday == 7 && payment.day == 22 && payment.month == 11", None, True),
        ("payment.date >= '2026-11-20' && payment.date < '2026-12-01'", None, True),
        ("payment.date < '2026-11-22'", None, False),
        ("payment.hour == 21 && payment.day == 21", datetime(2026, 11, 21, 21, 7, tzinfo=ZoneInfo("UTC")), True),
    ],
)
def test_times_are_those_of_the_sales_own_time_zone(when: str, at: datetime | None, holds: bool) -> None:
    compiled = policy({"when": when, "exclude": ["a"]})
    assert bool(compiled.guide(replace(SALE, at=at or SALE.at)).rules) == holds


def test_every_field_that_is_declared_has_its_value_of_its_type() -> None:
    full = replace(SALE, terminal_id="t", operator_id="o", card_bin="622202", is_static_code=True)
    kinds = {"int": int, "string": str, "bool": bool}
    values = values_of(full)
    assert values.keys() == FIELDS.fields.keys()
    for name, field in FIELDS.fields.items():
        value = values[name]
        assert isinstance(value, kinds[field.type])
        assert isinstance(value, bool) == (field.type == "bool")


def test_what_may_be_missing_of_a_sale_is_declared_so() -> None:
    missing = {name for name, value in values_of(replace(SALE, store_id=None)).items() if value is None}
    assert missing == {name for name, field in FIELDS.fields.items() if field.nullable}


WISHES = (
    "payment.amount > 500000",
    "payment.amount >= 1000 && payment.amount <= 5000",
    "payment.hour < 6 || payment.hour >= 23",
    "payment.store_id in ['s-1', 's-2']",
    "payment.wallet == 'alipay' && payment.method == 'barcode'",
    "!payment.static_code",
    "payment.card_bin.startsWith('622')",
    "payment.weekday >= 6",
)
SALES = st.builds(
    Sale,
    seed=st.just("pay_1"),
    merchant_id=st.sampled_from(["mer_1", "mer_2"]),
    amount_fen=st.sampled_from([1, 999, 1_000, 5_000, 5_001, 500_000, 500_001]),
    wallet=st.sampled_from(Wallet),
    method=st.sampled_from(Method),
    at=st.datetimes(timezones=st.just(ZoneInfo("Asia/Shanghai"))),
    store_id=st.sampled_from([None, "s-1", "s-2", "s-3"]),
    card_bin=st.sampled_from([None, "622202", "400000"]),
    is_static_code=st.booleans(),
)


@given(sales=st.lists(SALES, max_size=8))
def test_the_rules_that_match_are_those_whose_condition_holds_on_its_own(sales: list[Sale]) -> None:
    compiled = policy(*[{"when": when, "exclude": [f"a{number}"]} for number, when in enumerate(WISHES)])
    alone = [check(when, FIELDS) for when in WISHES]
    for sale in sales:
        expected = {f"a{number}" for number, each in enumerate(alone) if each.evaluate(values_of(sale)) is True}
        assert compiled.guide(sale).excluded == expected


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_MAX", 3)
    compiled = policy(*[{"when": f"payment.amount > {number}", "exclude": [f"a{number}"]} for number in range(9)])
    for amount in range(10):
        assert len(compiled.guide(replace(SALE, amount_fen=amount)).excluded) == amount
    assert len(compiled._known) == 3
