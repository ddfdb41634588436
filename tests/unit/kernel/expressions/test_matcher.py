"""The index finds exactly the conditions that are true when each is judged alone."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.kernel.expressions import Matcher, Value, blocks, check, clauses, index, masks
from tests.support.conditions import FIELDS, conditions, values

SMALL = {
    masks: {"SEGMENTS_MAX": 2, "VALUES_MAX": 2},
    blocks: {"MASKED_MAX": 3, "MASKED_SHARE": 3},
    index: {
        "BLOCK_ROWS_MAX": 4,
        "BLOCK_ROWS_MIN": 2,
        "BLOCK_SLOTS_MAX": 2,
        "KEY_VALUES_MIN": 3,
        "KEY_LIST_MAX": 2,
        "SHORT_LIST_MAX": 1,
    },
    clauses: {"CLAUSES_MAX": 3},
}
"""Bounds under which a handful of conditions takes every path that 100,000 take."""


def one_by_one(texts: list[str], known: dict[str, Value | None]) -> tuple[int, ...]:
    return tuple(at for at, text in enumerate(texts) if check(text, FIELDS).evaluate(known) is True)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(conditions(2), max_size=12), st.lists(values(), min_size=1, max_size=4))
def test_the_index_agrees_with_judging_one_by_one(texts: list[str], cases: list[dict[str, Value | None]]) -> None:
    matcher = Matcher([check(text, FIELDS) for text in texts])
    for known in cases:
        assert matcher.matches(known) == one_by_one(texts, known)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(conditions(2), min_size=4, max_size=24), st.lists(values(), min_size=1, max_size=4))
def test_it_agrees_where_every_bound_is_passed(texts: list[str], cases: list[dict[str, Value | None]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module, bounds in SMALL.items():
            for name, bound in bounds.items():
                patch.setattr(module, name, bound)
        matcher = Matcher([check(text, FIELDS) for text in texts])
    for known in cases:
        assert matcher.matches(known) == one_by_one(texts, known)
