"""The index finds exactly the conditions that are true when each is judged alone."""

from __future__ import annotations

import pickle
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.kernel.expressions import Matcher, Value, blocks, check, clauses, index, masks
from gateway.kernel.expressions.clauses import Clauses
from gateway.kernel.expressions.constraints import Constraint
from tests.support.conditions import FIELDS, LOOKUP, Oracle, conditions, values

SMALL = {
    masks: {"SEGMENTS_MAX": 2, "VALUES_MAX": 2},
    blocks: {"MASKED_MAX": 3, "MASKED_SHARE": 3, "MASKED_ROWS_MIN": 1},
    index: {
        "BLOCK_ROWS_MAX": 4,
        "KEY_VALUES_MIN": 3,
        "KEY_LIST_MAX": 2,
        "SHORT_LIST_MAX": 1,
    },
    clauses: {"CLAUSES_MAX": 3},
}
"""Bounds under which a handful of conditions takes every path that 100,000 take."""


def one_by_one(texts: list[str], known: dict[str, Value | None]) -> tuple[int, ...]:
    return tuple(at for at, text in enumerate(texts) if check(text, FIELDS).evaluate(known) is True)


def small_matcher(texts: list[str]) -> Matcher:
    """The matcher that is built within those bounds."""
    with pytest.MonkeyPatch.context() as patch:
        for module, bounds in SMALL.items():
            for name, bound in bounds.items():
                patch.setattr(module, name, bound)
        return Matcher([check(text, FIELDS) for text in texts])


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(conditions(2), max_size=12),
    st.lists(values(), min_size=1, max_size=4),
    st.sampled_from([1, blocks.MASKED_ROWS_MIN]),
)
def test_the_index_agrees_with_judging_one_by_one(
    texts: list[str], cases: list[dict[str, Value | None]], masked_rows_min: int
) -> None:
    """With masks, and as so few conditions are judged otherwise: without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MASKED_ROWS_MIN", masked_rows_min)
        matcher = Matcher([check(text, FIELDS) for text in texts])
    for known in cases:
        assert matcher.matches(known) == one_by_one(texts, known)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(conditions(2), min_size=4, max_size=24), st.lists(values(), min_size=1, max_size=4))
def test_it_agrees_where_every_bound_is_passed(texts: list[str], cases: list[dict[str, Value | None]]) -> None:
    matcher = small_matcher(texts)
    for known in cases:
        assert matcher.matches(known) == one_by_one(texts, known)


def test_these_bounds_are_passed_by_a_handful_of_conditions() -> None:
    """Were they not, the test above would hold paths against one another that are never taken."""
    choose = random.Random(2)
    made = small_matcher([random_condition(choose) for _ in range(24)])._index
    assert made.keyed
    assert len(made.blocks) > 1
    assert any(block.by_value for block in made.blocks)
    assert any(block.by_segment for block in made.blocks)
    assert any(block.loose for block in made.blocks)


def random_condition(choose: random.Random) -> str:
    """As analysts write them: a few comparisons with literals, some of them joined by or, or negated."""
    return " && ".join(
        choose.choice(
            (
                f"f.i > {choose.randrange(5_000)}",
                f"f.i <= {choose.randrange(5_000)}",
                f"f.j in [{choose.randrange(30)}, {choose.randrange(30)}]",
                f"f.s == 's{choose.randrange(400)}'",
                f"f.s == 's{choose.randrange(400)}' || f.t == 't{choose.randrange(3)}'",
                f"f.t != 't{choose.randrange(3)}'",
                f"f.t.startsWith('{choose.choice('tuv')}')",
                f"f.x < {choose.randrange(5_000)}.5",
                f"!(f.x >= {choose.randrange(5_000)}.5)",
                f"(f.b ? f.j > {choose.randrange(30)} : f.j < {choose.randrange(30)})",
                f"!(f.s in ['s{choose.randrange(400)}', 's{choose.randrange(400)}'])",
                f"f.i % 100 == {choose.randrange(3)}",
                "known(f.l) && 't1' in f.l",
                "!known(f.b)",
            )
        )
        for _ in range(choose.randrange(1, 5))
    )


def random_values(choose: random.Random) -> dict[str, Value | None]:
    full: dict[str, Value | None] = {
        "f.i": choose.randrange(5_000),
        "f.j": choose.randrange(30),
        "f.s": f"s{choose.randrange(400)}",
        "f.t": f"t{choose.randrange(3)}",
        "f.x": choose.choice((choose.random() * 5_000, float("nan"), float("inf"))),
        "f.y": None,
        "f.b": choose.random() < 0.5,
        "f.c": None,
        "f.l": ("t1",) if choose.random() < 0.5 else (),
        LOOKUP: None,
    }
    return {name: value if choose.random() < 0.9 else None for name, value in full.items()}


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_conditions_are_found_as_cel_finds_them(seed: int) -> None:
    choose = random.Random(seed)
    texts = [random_condition(choose) for _ in range(3_000)]
    matcher = Matcher([check(text, FIELDS) for text in texts])
    assert matcher._index.keyed
    assert matcher._index.blocks
    oracle = Oracle()
    for _ in range(4):
        known = random_values(choose)
        found = matcher.matches(known)
        assert len(found) > 10
        assert found == tuple(at for at, text in enumerate(texts) if oracle.verdict(text, known) is True)


def test_a_long_list_under_a_key_is_an_index_itself() -> None:
    texts = [f"f.s == 's{at % 200}' && f.i > {at}" for at in range(200)]
    texts += [f"f.s == 's7' && f.i > {at}" for at in range(300)]
    matcher = Matcher([check(text, FIELDS) for text in texts])
    assert matcher.matches({"f.s": "s7", "f.i": 103}) == (7, *range(200, 303))
    assert matcher.matches({"f.s": "s8", "f.i": 103}) == (8,)
    assert matcher.matches({"f.s": "s7"}) == ()


def test_a_missing_value_matches_nothing_that_compares_with_it() -> None:
    texts = ["f.s == 'a'", "f.s != 'a'", "!(f.s == 'a')", "f.s in ['a']", "!(f.s in ['a'])", "f.s.startsWith('')"]
    texts += [
        "f.s == 'a' || true",
        "f.s == 'a' && false || f.i == 1",
        "!known(f.s)",
        "known(f.s)",
        "true",
        "1 / 0 == 1",
    ]
    matcher = Matcher([check(text, FIELDS) for text in texts])
    for missing in ({"f.i": 1}, {"f.i": 1, "f.s": None}):
        assert matcher.matches(missing) == (6, 7, 8, 10)
    assert matcher.matches({"f.i": 1, "f.s": ""}) == (1, 2, 4, 5, 6, 7, 9, 10)


def test_a_call_is_looked_up_like_a_field() -> None:
    matcher = Matcher([check("look('up') >= 5", FIELDS), check("f.b && look('up') < 5", FIELDS)])
    assert matcher.names == {LOOKUP, "f.b"}
    assert [call.name for call in matcher.calls] == [LOOKUP]
    assert matcher.matches({LOOKUP: 5}) == (0,)
    assert matcher.matches({LOOKUP: 4, "f.b": True}) == (1,)
    assert matcher.matches({"f.b": True}) == ()


def test_a_matcher_pickles_whole() -> None:
    choose = random.Random(7)
    texts = [random_condition(choose) for _ in range(300)]
    matcher = Matcher([check(text, FIELDS) for text in texts])
    loaded = pickle.loads(pickle.dumps(matcher))
    assert (loaded.names, loaded.calls) == (matcher.names, matcher.calls)
    cases = [random_values(choose) for _ in range(20)]
    assert [loaded.matches(known) for known in cases] == [matcher.matches(known) for known in cases]
    assert any(loaded.matches(known) for known in cases)


def test_no_conditions_match_nothing() -> None:
    assert Matcher([]).matches({"f.i": 1}) == ()
    assert Matcher([check("false", FIELDS), check("1 > 2 || f.i != f.i", FIELDS)]).matches({"f.i": 1}) == ()


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("f.i == 1 || f.i == 2 || f.i in [3, 4]", [{"f.i": Constraint(among=frozenset({1, 2, 3, 4}))}]),
        ("f.i > 1 && f.i <= 5 && f.i != 3", [{"f.i": Constraint(2, 6, frozenset({3}))}]),
        ("f.i > 1 && f.i <= 1", []),
        ("f.i in [1, 2, 3] && f.i > 1", [{"f.i": Constraint(among=frozenset({2, 3}))}]),
        ("!(f.i < 5 || f.b)", [{"f.i": Constraint(low=5), "f.b": Constraint(among=frozenset({False}))}]),
        ("5 < f.i", [{"f.i": Constraint(low=6)}]),
        ("f.s.startsWith('62')", [{"f.s": Constraint("62", "63")}]),
        ("known(f.s)", [{"f.s": Constraint()}]),
        ("!known(f.s)", [{"f.s": Constraint(among=frozenset({None}))}]),
        ("f.b || true", [{}]),
        ("f.b && false", []),
    ],
)
def test_a_condition_becomes_constraints(text: str, alternatives: list[dict[str, Constraint]]) -> None:
    assert Clauses().of(check(text, FIELDS).tree) == alternatives


@pytest.mark.parametrize("known", [float("inf"), -float("inf"), float("nan"), 1.5, None])
def test_what_lies_at_infinity_is_found_as_cel_finds_it(known: float | None) -> None:
    texts = [f"f.x {sign} {end}" for sign in ("<", "<=", ">", ">=", "==", "!=") for end in ("1e999", "-1e999")]
    texts += [f"!({text})" for text in texts] + ["f.x in [1e999] || f.x < 1.0", "f.x in [-1e999, 2.0] || f.x > 1.0"]
    held = {**dict.fromkeys(("f.i", "f.j", "f.y", "f.s", "f.t", "f.b", "f.c", "f.l", LOOKUP)), "f.x": known}
    expected = tuple(at for at, text in enumerate(texts) if Oracle().verdict(text, held) is True)
    assert Matcher([check(text, FIELDS) for text in texts]).matches(held) == expected
    for at, text in enumerate(texts):
        assert Matcher([check(text, FIELDS)]).matches(held) == ((0,) if at in expected else ())
