"""Reading JSON of unknown origin: what is wrong is noted under its path, and what is read is what was written."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.kernel.documents import PROBLEMS_MAX, DocumentError, ObjectReader, Problem, Problems, shown

ONE = Decimal(1)


def read(given: dict[str, Any], take: Callable[[ObjectReader], Any]) -> tuple[Any, list[str]]:
    """What was taken, and what was noted."""
    problems = Problems()
    taken = take(ObjectReader(given, "rules.3", problems))
    return taken, [str(problem) for problem in problems.found]


@pytest.mark.parametrize(
    ("value", "take", "taken"),
    [
        ("满减\n", lambda reader: reader.text("x", 9), "满减\n"),
        (False, lambda reader: reader.flag("x", default=True), False),
        (7, lambda reader: reader.whole("x", 7, 7, 1), 7),
        ("0.125000", lambda reader: reader.share("x", Decimal(0), ONE, ONE), Decimal("0.125")),
    ],
)
def test_what_is_right_is_taken(value: object, take: Callable[[ObjectReader], Any], taken: object) -> None:
    assert read({"x": value}, take) == (taken, [])


@pytest.mark.parametrize(
    ("value", "take", "said"),
    [
        (5, lambda reader: reader.text("x", 9), "takes a text"),
        ("0123456789", lambda reader: reader.text("x", 9), "takes 1 to 9 characters"),
        ("\x00", lambda reader: reader.text("x", 9), "has a character that cannot be printed"),
        (1, lambda reader: reader.flag("x", default=True), "is true or false"),
        (True, lambda reader: reader.whole("x", 0, 7, 1), "is a whole number from 0 to 7"),
        (0.5, lambda reader: reader.share("x", Decimal(0), ONE, ONE), 'is a decimal string from "0" to "1"'),
        ("1e0", lambda reader: reader.share("x", Decimal(0), ONE, ONE), 'is a decimal string from "0" to "1"'),
    ],
)
def test_what_is_wrong_is_noted_under_its_path(value: object, take: Callable[[ObjectReader], Any], said: str) -> None:
    _, [noted] = read({"x": value}, take)
    assert noted.startswith(f"rules.3.x: {said}")


def test_a_required_text_that_is_missing_is_told() -> None:
    assert read({}, lambda reader: reader.text("x", 9, required=True)) == ("", ["rules.3.x: is required"])


def test_unknown_fields_are_named_with_what_may_have_been_meant() -> None:
    given = {"budgets": 1, "\x00" * 99: 2, "budget": 3}
    _, noted = read(given, lambda reader: reader.refuse_unknown(frozenset({"budget"})))
    assert noted == [
        "rules.3.budgets: there is no such field (did you mean “budget”?)",
        f"rules.3.{'?' * 64}: there is no such field",
    ]


def test_nobody_gets_more_problems_than_can_be_read() -> None:
    problems = Problems()
    for number in range(PROBLEMS_MAX + 1):
        problems.note(f"p{number}", "is wrong")
    assert len(problems.found) == PROBLEMS_MAX


def test_an_error_says_all_of_its_problems() -> None:
    error = DocumentError((Problem("when", "not understood", 2, 3, "write &&"), Problem("name", "is required")))
    assert str(error) == "when (line 2, column 3): not understood (write &&); name: is required"


def test_an_empty_name_is_shown_as_something() -> None:
    assert shown("") == "?"
