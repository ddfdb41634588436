"""A rule set is read whole: everything that is wrong is told at once, each with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.documents import PROBLEMS_MAX, Problem
from risk.decision import Action, Verdict
from risk.rules.document import RuleSetError, parse
from risk.rules.rule import Example, Mode, RuleSet, Thresholds
from risk.rules.written import head_json, rule_json
from tests.support.rule_sets import FAST, rule

LISTS = ("allow", "block")


def read(given: object) -> RuleSet:
    return parse(given, lists=LISTS, models=[3])


def problems_of(given: object) -> list[tuple[str, str]]:
    """The places and what is wrong there."""
    with pytest.raises(RuleSetError) as refused:
        read(given)
    return [(problem.path, problem.message) for problem in refused.value.problems]


def places_of(*rules: object, **more: Any) -> list[str]:
    return [path for path, _ in problems_of({"rules": list(rules), **more})]


def test_a_rule_is_read_with_all_it_says() -> None:
    tests = [{"given": {"payment.amount": 60_000, "velocity(\"count\",'customer', '1h')": 5}, "hits": True}]
    found = read({"note": "n", "rules": [FAST | {"merchants": ["mer_1", "mer_1"], "tests": tests}], "model": 3})
    [only] = found.rules
    assert (only.code, only.action, only.score, only.mode, only.rollout, only.priority) == (
        *("R_FAST", Action.DECLINE, 40, Mode.LIVE, 100, 10),
    )
    assert only.when.text == FAST["when"]
    assert only.merchants == ("mer_1",)
    assert only.examples == (
        Example({"payment.amount": 60_000, "velocity('count', 'customer', '1h')": 5}, hits=True, verdict=None),
    )
    assert (found.note, found.model, found.thresholds) == ("n", 3, Thresholds(None, None))


def test_what_is_left_out_has_its_usual_value() -> None:
    [only] = read({"rules": [rule("R")]}).rules
    assert (only.score, only.mode, only.rollout, only.priority, only.description) == (0, Mode.LIVE, 100, 0, "")
    assert (only.merchants, only.examples) == ((), ())


def test_what_is_written_reads_as_the_same_again() -> None:
    tests = [{"given": {"customer.segments": ["vip"], "travel.speed_kmh": 3}, "hits": None, "verdict": "review"}]
    found = read(
        {"note": "n", "thresholds": {"review": 1}, "rules": [FAST, rule("R", tests=tests, merchants=["mer_x"])]}
    )
    again = read({**head_json(found), "rules": [*map(rule_json, found.rules)]})
    assert (again.rules, again.thresholds, again.model, again.note) == (
        *(found.rules, found.thresholds, found.model, found.note),
    )


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ([], ["body"]),
        ({}, ["rules"]),
        ({"rules": None}, ["rules"]),
        ({"rules": {}}, ["rules"]),
        ({"rules": [5]}, ["rules.0"]),
        ({"rules": [], "surprise": 1}, ["surprise"]),
        ({"rules": [], "note": 5}, ["note"]),
        ({"rules": [], "note": "\x00"}, ["note"]),
        ({"rules": [], "thresholds": 5}, ["thresholds"]),
        ({"rules": [], "thresholds": {"review": 0}}, ["thresholds.review"]),
        ({"rules": [], "thresholds": {"review": True}}, ["thresholds.review"]),
        ({"rules": [], "thresholds": {"decline": 101}}, ["thresholds.decline"]),
        ({"rules": [], "thresholds": {"review": 80, "decline": 80}}, ["thresholds.review"]),
        ({"rules": [], "thresholds": {"revieww": 8}}, ["thresholds.revieww"]),
        ({"rules": [], "model": 2}, ["model"]),
        ({"rules": [], "model": 0}, ["model"]),
        ({"rules": [], "model": "3"}, ["model"]),
        ({"rules": [{}]}, ["rules.0.code", "rules.0.when", "rules.0.action"]),
        ({"rules": [rule("R") | {"code": "a b"}]}, ["rules.0.code"]),
        ({"rules": [rule("R") | {"code": "x" * 65}]}, ["rules.0.code"]),
        ({"rules": [rule("R"), rule("R")]}, ["rules.1.code"]),
        ({"rules": [rule("R") | {"when": 5}, rule("R")]}, ["rules.0.when", "rules.1.code"]),
        ({"rules": [rule("R") | {"when": " "}]}, ["rules.0.when"]),
        ({"rules": [rule("R") | {"action": "ban"}]}, ["rules.0.action"]),
        ({"rules": [rule("R") | {"action": ["decline"]}]}, ["rules.0.action"]),
        ({"rules": [rule("R") | {"score": 101}]}, ["rules.0.score"]),
        ({"rules": [rule("R", action="score")]}, ["rules.0.score"]),
        ({"rules": [rule("R") | {"mode": "off"}]}, ["rules.0.mode"]),
        ({"rules": [rule("R") | {"mode": None}]}, ["rules.0.mode"]),
        ({"rules": [rule("R") | {"rollout": 101}]}, ["rules.0.rollout"]),
        ({"rules": [rule("R") | {"rollout": 0.5}]}, ["rules.0.rollout"]),
        ({"rules": [rule("R") | {"priority": -1}]}, ["rules.0.priority"]),
        ({"rules": [rule("R") | {"priority": 1_000_001}]}, ["rules.0.priority"]),
        ({"rules": [rule("R") | {"description": "x" * 501}]}, ["rules.0.description"]),
        ({"rules": [rule("R") | {"merchants": "mer_1"}]}, ["rules.0.merchants"]),
        ({"rules": [rule("R") | {"merchants": ["shop"]}]}, ["rules.0.merchants.0"]),
        ({"rules": [rule("R") | {"merchants": ["mer_1"] * 1_001}]}, ["rules.0.merchants"]),
        ({"rules": [rule("R") | {"enabled": True}]}, ["rules.0.enabled"]),
        ({"rules": [rule("R") | {"tests": {}}]}, ["rules.0.tests"]),
        ({"rules": [rule("R") | {"tests": [{"given": {}, "hits": True}] * 21}]}, ["rules.0.tests"]),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_is_wrong_is_told_with_its_place(given: object, places: list[str]) -> None:
    assert [path for path, _ in problems_of(given)] == places


def test_a_rule_set_bounds_its_tests_and_its_rules() -> None:
    tests = [{"given": {}, "hits": False}] * 20
    assert places_of(*[rule(f"R{number}", tests=tests) for number in range(101)]) == ["rules"]
    assert problems_of({"rules": [None] * 100_001}) == [("rules", "is a list of at most 100000 rules")]


def test_a_hundred_problems_are_told_and_no_more() -> None:
    assert len(problems_of({"rules": [{} for _ in range(500)]})) == PROBLEMS_MAX


@pytest.mark.parametrize(
    ("test", "place"),
    [
        (5, ""),
        ({"hits": True}, ".given"),
        ({"given": {}}, ""),
        ({"given": {}, "hits": None, "verdict": None}, ""),
        ({"given": {}, "hits": "yes"}, ".hits"),
        ({"given": {}, "verdict": "score"}, ".verdict"),
        ({"given": {}, "hits": True, "note": ""}, ".note"),
        ({"given": {"payment.amout": 5}, "hits": True}, ".given.payment.amout"),
        ({"given": {"velocity('count', 'x', '1h')": 5}, "hits": True}, ".given.velocity('count', 'x', '1h')"),
        ({"given": {"listed('block', 'ip') && true": 5}, "hits": True}, ".given.listed('block', 'ip') && true"),
        ({"given": {"payment.amount + 1": 5}, "hits": True}, ".given.payment.amount + 1"),
        ({"given": {"payment.amount": 5.0}, "hits": True}, ".given.payment.amount"),
        ({"given": {"payment.amount": True}, "hits": True}, ".given.payment.amount"),
        ({"given": {"payment.amount": 2**63}, "hits": True}, ".given.payment.amount"),
        ({"given": {"payment.ip": 5}, "hits": True}, ".given.payment.ip"),
        ({"given": {"customer.known": 1}, "hits": True}, ".given.customer.known"),
        ({"given": {"customer.segments": "vip"}, "hits": True}, ".given.customer.segments"),
        ({"given": {"velocity('count', 'ip', '1h')": 0.5}, "hits": True}, ".given.velocity('count', 'ip', '1h')"),
    ],
)
def test_a_test_names_what_conditions_can_name_in_its_type(test: object, place: str) -> None:
    assert places_of(rule("R", tests=[test])) == [f"rules.0.tests.0{place}"]


def test_a_share_is_given_as_a_number_and_null_is_as_good_as_nothing() -> None:
    values = {"velocity('fraud_share', 'terminal', '28d')": 1, "payment.ip": None}
    [only] = read({"rules": [rule("R", tests=[{"given": values, "verdict": "approve"}])]}).rules
    assert only.examples == (
        Example({"velocity('fraud_share', 'terminal', '28d')": 1.0}, hits=None, verdict=Verdict.APPROVE),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from([*FAST, "merchants", "tests", "surprise"]), JSON)
def test_no_value_of_a_field_is_more_than_a_problem(name: str, value: object) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        read({"rules": [{**FAST, name: value}]})
    except RuleSetError as error:
        problems = error.problems
    assert [problem for problem in problems if not problem.path.startswith("rules.0")] == []
