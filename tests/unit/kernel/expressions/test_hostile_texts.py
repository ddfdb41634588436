"""Hostile texts are refused in good time, or mean what they say: none of them ends the process."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.kernel.expressions import Expression, ExpressionError, FieldType, Matcher, check
from gateway.kernel.expressions.checking import TEXT_LENGTH_MAX
from tests.support.conditions import FIELDS, VALUES

DEEP = {
    "brackets": "({})",
    "negations": "!{}",
    "negations in brackets": "!({})",
    "signs": "-({}) > 1",
    "lists": "[{}]",
    "maps": "{{1: {}}}",
    "choices": "({} ? f.b : f.b)",
    "choices on the right": "f.b ? f.b : {}",
    "sums": "{} + f.i",
    "calls": "size({})",
    "members": "{}.f",
    "indices": "{}[0]",
    "ands": "f.b && {}",
    "ors of ands": "(f.b || f.c && {})",
}


def nested(pattern: str, levels: int) -> str:
    text = "f.b"
    while levels and len(text) < 300_000:
        text, levels = pattern.format(text), levels - 1
    return text


def taken_or_refused(text: str) -> Expression | ExpressionError:
    try:
        return check(text, FIELDS)
    except ExpressionError as refused:
        return refused


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("levels", [10, 31, 33, 250, 4_000, 100_000])
def test_nesting_is_bounded(kind: str, levels: int) -> None:
    began = time.process_time()
    found = taken_or_refused(nested(DEEP[kind], levels))
    if isinstance(found, Expression):
        Matcher([found]).matches({"f.b": True, "f.c": True, "f.i": 1})
    else:
        assert found.line >= 1
        assert found.column >= 1
        assert len(str(found)) < 400
    assert time.process_time() - began < 5.0  # milliseconds as a rule; a bound on the order of growth only


def test_deep_texts_do_not_end_a_process_of_small_stack() -> None:
    """The checker is C++: what would be a RecursionError here would be a crash there."""
    script = (
        "import threading\n"
        "from tests.support.conditions import FIELDS\n"
        "from tests.unit.kernel.expressions.test_hostile_texts import DEEP, nested\n"
        "from gateway.kernel.expressions import ExpressionError, check\n"
        "def run():\n"
        "    for pattern in DEEP.values():\n"
        "        for levels in (31, 33, 1_000, 8_000):\n"
        "            try:\n"
        "                check(nested(pattern, levels), FIELDS)\n"
        "            except ExpressionError:\n"
        "                pass\n"
        "    print('alive')\n"
        "threading.stack_size(512 * 1024)\n"
        "thread = threading.Thread(target=run)\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr


def test_a_long_text_is_refused_at_its_end() -> None:
    check("f.b".ljust(TEXT_LENGTH_MAX), FIELDS)
    with pytest.raises(ExpressionError) as refused:
        check("f.b\n".ljust(TEXT_LENGTH_MAX + 1), FIELDS)
    assert (refused.value.line, refused.value.column) == (2, TEXT_LENGTH_MAX - 3)


@pytest.mark.parametrize("text", ["f.s == 'a\ud800'", "\udfff"])
def test_half_a_character_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(ExpressionError, match="half of a character") as refused:
        check(text, FIELDS)
    assert refused.value.column == next(at for at, c in enumerate(text, 1) if "\ud800" <= c <= "\udfff")


def test_a_nul_is_a_character_like_others() -> None:
    for text in ("f.s == 'a\0b'", "f.s == 'a\\u0000b'"):
        expression = check(text, FIELDS)
        assert expression.evaluate({"f.s": "a\0b"}) is True
        assert expression.evaluate({"f.s": "a"}) is False
        assert Matcher([expression]).matches({"f.s": "a\0b"}) == (0,)
    assert check("f.s.matches('^a$')", FIELDS).evaluate({"f.s": "a\0b"}) is False


@pytest.mark.parametrize(
    "text",
    [
        "f.i in [" + "1," * 4_000 + "1]",
        "'" * 8_000,
        "\n" * 8_000 + "x",
        "f.i > " + "1" * 8_000,
        "f.s == '''" + "\n" * 8_000 + "'''",
        " && ".join(f"(f.i == {at} || f.s == 'a')" for at in range(64)),
        " || ".join(f"(f.i == {at} && f.b)" for at in range(85)),
        "f.s.matches('" + "(" * 120 + ")" * 120 + "')",
        "f.s.matches('" + "(a|b)?" * 40 + "c')",
        "f.s.matches('(a+)+(a+)+(a+)+$')",
    ],
    ids=range(10),
)
def test_a_text_that_would_multiply_does_not(text: str) -> None:
    began = time.process_time()
    found = taken_or_refused(text)
    if isinstance(found, Expression):
        Matcher([found]).matches({"f.i": 3, "f.s": "a" * 10_000 + "!", "f.b": True})
    assert time.process_time() - began < 5.0  # milliseconds as a rule


WORDS = (
    "f.i f.s f.b f.l ( ) [ ] { } ! - + * / % < <= == != && || ? : , . in 1 1.5 'a' 1u null true has known size matches "
    "exists all map filter dyn type timestamp duration b'a' // # @ é \U0001f600"
)
SOUP = st.lists(
    st.sampled_from([*WORDS.split(), '"', "'", "\\", "\0", "\n", "\t", "\u202e", "\ufeff"]), max_size=30
).map(" ".join)


@given(st.text(max_size=200) | SOUP)
@example("\0")
@example("f.s == '\\ud800'")
@example("f.s == b'\\xff'")
def test_any_text_is_a_condition_or_refused_with_a_position(text: str) -> None:
    found = taken_or_refused(text)
    if isinstance(found, Expression):
        Matcher([found]).matches({})
    else:
        assert 1 <= found.line <= text.count("\n") + 1
        assert 1 <= found.column <= max(map(len, text.split("\n"))) + 1
        assert found.message


@given(st.dictionaries(st.sampled_from(["f.s", "f.t"]), VALUES[FieldType.STRING] | st.text()))
def test_hostile_values_are_only_values(known: dict[str, str]) -> None:
    texts = ["f.s == f.t", "f.s.startsWith(f.t)", "f.s in [f.t, '1 == 1']", "f.s < 'b'", "f.s.contains('\\'')"]
    matcher = Matcher([check(text, FIELDS) for text in texts])
    left, right = known.get("f.s"), known.get("f.t")
    both = left is not None and right is not None
    assert (0 in matcher.matches(dict(known))) is (both and left == right)
    assert (3 in matcher.matches(dict(known))) is (left is not None and left < "b")
