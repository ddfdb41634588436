"""A condition that is checked by its shape is the one that is checked by itself, whatever its literals are."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.kernel.expressions import Expression, ExpressionError, Fields, FieldType, Function, Parameter, check
from gateway.kernel.expressions.fields import Field
from gateway.kernel.expressions.shapes import SHAPES_MAX, Shapes
from tests.support.conditions import FIELDS, conditions

ANY = Parameter("key", "Whose.", lambda text: None if len(text) < 5 else "it is a short text")
SEEN = Function("seen", (ANY,), FieldType.INT, "Seen.", types=(("rate", FieldType.DOUBLE),))
PLAIN = Fields(
    Field("f.i", FieldType.INT, "A number."),
    Field("f.d", FieldType.DOUBLE, "A decimal."),
    Field("f.s", FieldType.STRING, "A text."),
    functions=[SEEN],
)


def outcome(text: str, shapes: Shapes | None, fields: Fields) -> Expression | tuple[str, int, int]:
    """The expression, or what is wrong with it."""
    try:
        return check(text, fields) if shapes is None else shapes.check(text)
    except ExpressionError as error:
        return error.message, error.line, error.column


def assert_the_same(*texts: str, fields: Fields = PLAIN) -> Shapes:
    """One after the other, each as by itself."""
    shapes = Shapes(fields)
    for text in texts:
        assert outcome(text, shapes, fields) == outcome(text, None, fields), text
    return shapes


@pytest.mark.parametrize(
    "texts",
    [
        ("f.i > 1 && f.s == 'a'", "f.i > 22 && f.s == 'b c'", "f.i > 0 && f.s == ''", "f.i > 007 && f.s == '中'"),
        ("f.i > 1", "f.i > -1", "f.i > - 1", "f.i > 1.0", "f.i > 1u", "f.i > 0x1", "f.i > 1e1", "f.i > 'a'"),
        ("f.i > -0", "f.i > -5", "f.i - 0 > 1", "f.i - 5 > 2", "f.i -0 > 1", "f.i -(5) > 1", "f.i -(6) > 1"),
        ("f.d > 1.5", "f.d > 2.25", "f.d > .5", "f.d > 5.", "f.d > 1.5.2", "f.d > 12345678901234567890.5"),
        ("f.i > 999999999999999999", "f.i > 9223372036854775807", "f.i > 9223372036854775808"),
        ("f.s in ['a', 'b']", "f.s in ['c', 'c']", "f.s in ['c']", "f.s in ['c', 3]", "f.i in [1, 2]", "f.i in [2, 1]"),
        ("f.s.startsWith('62')", "f.s.startsWith('6222')", "'62'.startsWith(f.s)", "f.s.startsWith(62)"),
        ("f.s.matches('a')", "f.s.matches('(')", "f.s.matches('b')"),
        (
            "seen('a') > 1",
            "seen('b') > 1",
            "seen('rate') > 1",
            "seen('rate') > 1.5",
            "seen('longer') > 1",
            "seen(1) > 1",
        ),
        ("seen('a)') > 1", "seen('b)') > 1", "seen( 'a' )>1", "seen(r'a') > 1", "xseen('a') > 1", "seen_('a') > 1"),
        ("f.i > 1 ? f.s == 'a' : f.s == 'b'", "f.i > 2 ? f.s == 'b' : f.s == 'a'", "f.i > 2 ? 'b' : 'a' == f.s"),
        (
            "f.s == r'a'",
            "f.s == r'b'",
            "f.s == b'b'",
            "f.s == r'a b' && f.s == 'c'",
            "f.s == 'a'' b'",
            "f.s == '''a'''",
        ),
        (
            "f.s == 'a' // b",
            "f.s == 'a' // c",
            "f.s == 'a\\n'",
            'f.s == "a"',
            "f.s == '\0'",
            "f.s == '\ud800'",
            "f.s == '",
        ),
        ("1 < 2", "2 < 1", "true", "false", "1 == 1.0", "'a' == 'b'", "", " ", "5", "'a'", "é5", "5é", "f.i5 > 1"),
        ("f.i / 1 > 1", "f.i / 0 > 1", "f.i % 0 > 1", "size('abc') > 1", "size('abcd') > 1", "int(1.5) > f.i"),
    ],
    ids=lambda texts: ascii(texts[0]),
)
def test_literals_take_the_places_of_literals(texts: tuple[str, ...]) -> None:
    assert_the_same(*texts)
    assert_the_same(*reversed(texts))
    assert_the_same(*(f"{text} && f.i > {number}" for text in texts for number in (1, 2)))


def test_one_shape_is_kept_for_conditions_that_differ_in_literals_only() -> None:
    texts = [f"f.i > {number} && f.s == 'shop {number}' && seen('a') in [{number}, 2]" for number in range(50)]
    shapes = assert_the_same(*texts)
    assert len(shapes._known) == 1


def test_so_many_shapes_are_kept_and_no_more() -> None:
    shapes = Shapes(PLAIN)
    for number in range(SHAPES_MAX + 10):
        shapes.check(f"f.i > -{number}" if number % 2 else f"f.i > 1 || f.i < -{number} || f.i == 3")
    assert len(shapes._known) <= SHAPES_MAX


@given(conditions(3), st.lists(st.integers(0, 10**20), min_size=3, max_size=3))
@example("f.i > 5 && f.b", [0, 1, 10**18])
def test_any_condition_is_the_same_by_its_shape_and_so_is_one_of_other_numbers(text: str, numbers: list[int]) -> None:
    others = [re.sub(r"\d+", lambda _, number=number: str(number), text) for number in numbers]  # type: ignore[misc]
    assert_the_same(text, *others, text, fields=FIELDS)
