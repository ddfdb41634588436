"""The error table says what the code answers: every raising line of the gateway is read, and held against its row."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.kernel import errors
from gateway.kernel.error_codes import ERRORS
from gateway.kernel.errors import ApiError

ROOT: Final = Path(__file__).parents[3]
CLASSES: Final = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ApiError)
}
CONFLICTS: Final = "_conflict"
"""What two files name their own shorthand for a Conflict."""
ELSEWHERE: Final = {
    "no_such_path": 404,
    "method_not_allowed": 405,
    "merchant_rate": 429,
    "merchant_concurrency": 429,
    "internal_error": 500,
}
"""Codes that are chosen from a small table at the place where they are raised."""


def raised() -> Iterator[tuple[str, int, str]]:
    """Code, HTTP status and place of every error that is written down with both."""
    for room in ("gateway", "routing", "promotions", "risk"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and (found := _written(node)):
                    yield *found, f"{path.relative_to(ROOT)}:{node.lineno}"


def _written(call: ast.Call) -> tuple[str, int] | None:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    kind = CLASSES.get("Conflict" if name == CONFLICTS else name)
    if kind is None or not call.args or not isinstance(call.args[0], ast.Constant):
        return None
    status = next((keyword.value for keyword in call.keywords if keyword.arg == "status"), ast.Constant(kind.status))
    return call.args[0].value, ast.literal_eval(status)


def test_every_error_is_raised_with_a_status_of_its_row() -> None:
    wrong = [
        f"{place}: {code} with {status}" for code, status, place in raised() if status not in ERRORS[code].statuses
    ]
    assert wrong == []


def test_every_row_is_raised_somewhere_with_each_of_its_statuses() -> None:
    answered = {(code, status) for code, status, _ in raised()} | set(ELSEWHERE.items())
    assert {(code, status) for code, meaning in ERRORS.items() for status in meaning.statuses} - answered == set()


@pytest.mark.parametrize("code", ERRORS)
def test_a_row_has_the_type_of_the_class_that_carries_its_status(code: str) -> None:
    meaning = ERRORS[code]
    carrying = {kind.type for kind in CLASSES.values() if kind.status == meaning.status}
    assert meaning.type in (carrying or {"invalid_request"})


def test_what_is_told_reads_as_sentences() -> None:
    for code, meaning in ERRORS.items():
        assert meaning.when.endswith("."), code
        assert meaning.remedy.endswith("."), code


def test_what_was_not_begun_can_be_sent_again() -> None:
    assert {code for code, meaning in ERRORS.items() if meaning.status in {429, 503} and not meaning.retryable} == set()
    assert not ERRORS["order_no_reused"].retryable
    assert ERRORS["incomplete_body"].retryable
