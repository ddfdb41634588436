"""Policies are checked when they are read: every problem at once, each with its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.policy.document import RULES_MAX, parse
from routing.policy.reading import PROBLEMS_MAX, PolicyError
from routing.policy.rules import ExcludeRule, OrderRule, PolicyDocument, PreferRule, SplitRule

ACCOUNTS = frozenset({"wechat_direct", "alipay_direct", "unionpay_front"})
RULES: list[dict[str, Any]] = [
    {"name": "big-direct", "when": "payment.amount > 500000", "exclude": ["unionpay_front"]},
    {"name": "night", "when": "payment.hour < 6", "prefer": ["wechat_direct"], "within": "0.001"},
    {"name": "contract", "when": "payment.wallet == 'wechat'", "split": {"wechat_direct": 70, "unionpay_front": 30}},
    {"name": "fixed", "when": "payment.store_id == 's-1'", "order": ["alipay_direct", "unionpay_front"]},
]
POLICY: dict[str, Any] = {
    "note": "促销 until Friday",
    "success_value": "0.25",
    "exploration": "0.001",
    "tries_max": 2,
    "rules": RULES,
}


def problems_of(given: object) -> list[tuple[str, str]]:
    with pytest.raises(PolicyError) as caught:
        parse(given, ACCOUNTS)
    return [(problem.path, problem.message) for problem in caught.value.problems]


def rule(**change: Any) -> dict[str, Any]:
    return {name: value for name, value in (RULES[0] | change).items() if value is not ...}


def test_a_policy_is_read_as_it_was_written() -> None:
    document = parse(POLICY, ACCOUNTS)
    assert document == PolicyDocument(
        note="促销 until Friday",
        success_value=Decimal("0.25"),
        exploration=Decimal("0.001"),
        tries_max=2,
        rules=(
            ExcludeRule("big-direct", "payment.amount > 500000", True, "", frozenset({"unionpay_front"})),
            PreferRule("night", "payment.hour < 6", True, "", frozenset({"wechat_direct"}), Decimal("0.001")),
            SplitRule(
                "contract", "payment.wallet == 'wechat'", True, "", (("unionpay_front", 30), ("wechat_direct", 70))
            ),
            OrderRule("fixed", "payment.store_id == 's-1'", True, "", ("alipay_direct", "unionpay_front")),
        ),
    )


def test_what_is_stored_is_read_again_as_the_same() -> None:
    for policy in (POLICY, {"rules": []}, {"rules": [rule(enabled=False, description="off")]}):
        document = parse(policy, ACCOUNTS)
        assert parse(document.to_json(), None) == document
    assert parse(POLICY, ACCOUNTS).to_json() == POLICY | {
        "rules": [*RULES[:2], RULES[2] | {"split": {"unionpay_front": 30, "wechat_direct": 70}}, RULES[3]]
    }


def test_what_is_left_out_has_its_usual_value() -> None:
    document = parse({"rules": [rule(within=...)]}, ACCOUNTS)
    assert (document.success_value, document.exploration, document.tries_max, document.note) == (
        Decimal("0.30"),
        Decimal("0.001"),
        3,
        "",
    )
    assert document.rules[0].enabled


def test_every_problem_is_told_at_once_in_its_place() -> None:
    given = {
        "rules": [
            rule(when="payment.amuont > 1", exclude=["unknown"]),
            rule(name="b", exclude=..., split={"wechat_direct": 70, "alipay_direct": 29}),
            rule(name="b"),
            {"surprise": 1},
        ],
        "success_value": 0.3,
        "tries": 2,
    }
    assert [path for path, _ in problems_of(given)] == [
        "tries",
        "success_value",
        "rules.0.when",
        "rules.0.exclude.0",
        "rules.1.split",
        "rules.2.name",
        "rules.3.surprise",
        "rules.3.name",
        "rules.3.when",
        "rules.3",
    ]


def test_a_problem_in_a_condition_has_its_line_and_column() -> None:
    with pytest.raises(PolicyError) as caught:
        parse({"rules": [rule(when="payment.amount > 1 &&\n  payment.hours < 6")]}, ACCOUNTS)
    [problem] = caught.value.problems
    assert (problem.path, problem.line, problem.column) == ("rules.0.when", 2, 3)
    assert "payment.hour" in problem.hint
    assert str(problem).startswith("rules.0.when (line 2, column 3): ")


WRONG_TEXTS = (None, 1, "\x07", "\ud800", [])
WRONG_IN_A_RULE: dict[str, tuple[Any, ...]] = {
    "name": (..., "", "a b", "-a", "x" * 65, "ü", *WRONG_TEXTS),
    "when": (..., "", "  ", "1", "'x'", "payment.amount", "(", "x" * 2_001, "payment.amount > 1 \x00", *WRONG_TEXTS),
    "enabled": (None, 1, "true", []),
    "description": ("x" * 501, *WRONG_TEXTS),
    "exclude": (None, [], {}, "unionpay_front", 1, ["unionpay_front"] * 33),
    "within": ("0.1", None),
    "surprise": (1, None),
}
WRONG_ACTIONS: dict[str, tuple[Any, ...]] = {
    "order": (None, [], {}, "wechat_direct"),
    "prefer": (None, [], {}, "wechat_direct"),
    "split": (None, {}, [], {"wechat_direct": 99}, {"wechat_direct": 60, "alipay_direct": 41}),
}
WRONG_SHARES = (None, 0.1, "1.1", "-0.1", "", "1e-3", " 0.1", "0.0000001", "NaN", "Infinity", "٠.١")
NO_EXCLUSION = {"exclude": ...}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        *[({name: value}, name) for name, values in WRONG_IN_A_RULE.items() for value in values],
        *[(NO_EXCLUSION | {name: value}, name) for name, values in WRONG_ACTIONS.items() for value in values],
        *[({"exclude": [value]}, "exclude.0") for value in (None, "", "nobody", 1, ["unionpay_front"], "x" * 5_000)],
        ({"exclude": ["unionpay_front", "unionpay_front"]}, "exclude.1"),
        *[
            (NO_EXCLUSION | {"split": {"wechat_direct": value}}, "split.wechat_direct")
            for value in (0, -1, 101, 100.0, "100", True, None)
        ],
        (NO_EXCLUSION | {"split": {"nobody": 100}}, "split.nobody"),
        *[(NO_EXCLUSION | {"prefer": ["wechat_direct"], "within": value}, "within") for value in WRONG_SHARES],
        (NO_EXCLUSION, None),
        ({"order": ["wechat_direct"]}, None),
        (NO_EXCLUSION | {"split": {"wechat_direct": 100}, "prefer": ["wechat_direct"]}, None),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_whatever_is_wrong_in_a_rule_is_named_and_nothing_else(change: dict[str, Any], path: str | None) -> None:
    place = "rules.1" if path is None else f"rules.1.{path}"
    told = problems_of({"rules": [rule(name="right"), rule(**change)]})
    assert [path for path, _ in told] == [place]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        *[({"success_value": value}, "success_value") for value in (None, 0.3, 1, "0.04", "1.01", "", "1/3")],
        *[({"exploration": value}, "exploration") for value in (None, 0, "0.11", "-0.01", "0.0000001")],
        *[({"tries_max": value}, "tries_max") for value in (None, 0, 6, 1.0, "1", True, 10**400)],
        *[({"note": value}, "note") for value in (None, 1, "x" * 501, "\x00")],
        *[({"rules": value}, "rules") for value in (None, {}, "x", [RULES[0]] * (RULES_MAX + 1))],
        ({"rules": [None]}, "rules.0"),
        ({"rules": [[]]}, "rules.0"),
        ({"": 1}, "?"),
        ({"a" * 5_000: 1}, "a" * 64),
        ({"a\x00\ud800\u202e": 1}, "a???"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_whatever_is_wrong_around_the_rules_is_named_and_nothing_else(change: dict[str, Any], path: str) -> None:
    assert [path for path, _ in problems_of(POLICY | change)] == [path]


def test_rules_are_required_so_that_an_empty_object_ends_none() -> None:
    assert problems_of({}) == [("rules", "is required")]


@pytest.mark.parametrize("given", [None, [], "", 5, True])
def test_what_is_no_object_is_no_policy(given: object) -> None:
    assert problems_of(given) == [("body", "a policy is a JSON object")]


def test_the_list_of_problems_is_bounded() -> None:
    assert len(problems_of({"rules": [rule(name=None, when=1)] * RULES_MAX})) == PROBLEMS_MAX


def test_accounts_are_not_looked_at_in_what_was_checked_before() -> None:
    given = {"rules": [rule(exclude=["gone"])]}
    assert parse(given, None).to_json()["rules"] == given["rules"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(ACCOUNTS)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)


@given(field=st.sampled_from([*POLICY]), inner=st.sampled_from(["", *RULES[1], "split", "x"]), value=ANYTHING)
def test_anything_at_all_is_read_or_refused(field: str, inner: str, value: object) -> None:
    """A refusal names places of the document; what is read can be stored and read again."""
    given = POLICY | ({field: value} if not inner else {"rules": [*RULES, RULES[1] | {"name": "x", inner: value}]})
    try:
        document = parse(given, ACCOUNTS)
    except PolicyError as error:
        where = field if not inner else "rules.4"
        assert all(problem.path.startswith(where) for problem in error.problems)  # noqa: PT017
    else:
        assert parse(document.to_json(), ACCOUNTS) == document
