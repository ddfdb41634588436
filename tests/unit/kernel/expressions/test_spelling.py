"""A function whose result depends on its first argument is checked by the type it gives, at its place in the text."""

from __future__ import annotations

import time

import pytest

from gateway.kernel.expressions import ExpressionError, Fields, FieldType, Function, Matcher, Parameter, check
from gateway.kernel.expressions.checking import TEXT_LENGTH_MAX
from gateway.kernel.expressions.fields import Field
from gateway.kernel.expressions.spelling import spelled

ANY = Parameter("key", "Whose.", lambda text: None if text else "it is a text")
METRIC = Parameter.one_of("metric", "Of what.", ["count", "share", "last"])
SEEN = Function(
    "seen", (METRIC, ANY), FieldType.INT, "Seen.", types=(("share", FieldType.DOUBLE), ("last", FieldType.STRING))
)
FIELDS = Fields(Field("f.i", FieldType.INT, "A number."), Field("f.s", FieldType.STRING, "A text."), functions=[SEEN])


@pytest.mark.parametrize(
    "text",
    [
        "seen('count', 'ip') > 2",
        "seen('share', 'ip') > 0.5",
        'seen ( "share" , \'ip\') > 0.5 && seen(\n"count", "ip") > 2',
        "seen('last', 'ip') == 'share' && f.s != 'seen(\\'share\\''",
        "// seen('share', 'ip')\nseen('count', 'ip') > 2",
        '''f.s == """seen('share' Seen""" || seen('share', 'ip') == double(seen('count', 'ip'))''',
    ],
)
def test_each_call_is_of_the_type_that_its_first_argument_gives(text: str) -> None:
    assert check(text, FIELDS).text == text


def test_the_matcher_asks_for_it_as_it_is_written() -> None:
    expression = check("seen('share', 'ip') > 0.5", FIELDS)
    assert expression.names == {"seen('share', 'ip')"}
    assert Matcher([expression]).matches({"seen('share', 'ip')": 0.75}) == (0,)
    assert Matcher([expression]).matches({"seen('share', 'ip')": 0.25}) == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("seen('share', 'ip') > 1", 1, 21, "> does not apply to (double, int)"),
        ("f.i > 1 &&\n seen('count', 'ip') > 0.5", 2, 22, "> does not apply to (int, double)"),
        ("seen('share', 'ip') > 0.5 && f.x > 1", 1, 30, "unknown: f.x"),
        ("seen('share') > 0.5", 1, 5, "seen is not called like this"),
        ("seen('share', 3) > 0.5", 1, 5, "seen does not apply to (string, int)"),
        ("seen('share', '') > 0.5", 1, 15, "key of seen() cannot be ''"),
        ("seen('share', 'ip') seen('share', 'ip')", 1, 21, "not expected here: 'seen'"),
        ("seen('shar\\u0065', 'ip') > 1", 1, 6, "share is written in an unusual way"),
        ("f.i > 1 && Seen('share', 'ip') > 0.5", 1, 12, "unknown: Seen"),
        ("SEen('count', 'ip') > 1", 1, 1, "unknown: SEen"),
    ],
)
def test_what_is_wrong_is_told_in_the_authors_words_at_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(ExpressionError) as refused:
        check(text, FIELDS)
    assert (refused.value.line, refused.value.column, refused.value.message) == (line, column, message)


@pytest.mark.parametrize("part", ["'''\\", '"\\', "'\\", "r'", "'''a", '"""', "seen(", "seen ", "seen('share' ", "\\"])
def test_a_hostile_text_is_looked_at_once(part: str) -> None:
    text = ("seen " + part * TEXT_LENGTH_MAX)[:TEXT_LENGTH_MAX]
    begun = time.perf_counter()
    assert len(spelled(text, FIELDS)) == len(text)
    assert time.perf_counter() - begun < 0.25


def test_the_table_tells_the_types() -> None:
    assert "`seen(metric, key)` → int (double for `share`) (string for `last`), may be null: Seen." in FIELDS.table()


def test_a_name_has_a_letter_for_each_type_of_result() -> None:
    with pytest.raises(ValueError, match="too short"):
        Function("s", SEEN.parameters, FieldType.INT, "Seen.", SEEN.types)
