"""A condition's tree written as CEL."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.kernel.expressions import check
from gateway.kernel.expressions.writing import text_of
from tests.support.conditions import FIELDS, conditions


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(conditions(3, arithmetic=2))
def test_what_is_written_is_read_as_the_same_tree(text: str) -> None:
    tree = check(text, FIELDS).tree
    assert check(text_of(tree), FIELDS).tree == tree


@pytest.mark.parametrize(
    "text",
    [
        "f.i > 5 && f.s == 'a'",
        "(f.b || f.c) && f.i - (f.j - 1) > 0",
        "!(f.s in ['a', 'b']) || f.s.startsWith('x')",
        "f.b ? f.i > -5 : (f.c ? f.j > 1 : known(f.s))",
        "size(f.l) == 2 && 'a' in f.l",
        "double(f.i) * 1.5 > f.x",
        "look('up') >= 3",
        "f.s == 'it\\'s'",
        "-f.i % 3 == -(f.j + 1)",
    ],
)
def test_it_has_the_brackets_that_it_needs_and_no_others(text: str) -> None:
    assert text_of(check(text, FIELDS).tree) == text
