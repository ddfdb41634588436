"""Checks a condition against its fields: syntax and types by CEL, then what conditions may not use, and how large."""

from __future__ import annotations

from typing import Final

from gateway.kernel.expressions.checked_nodes import Builder
from gateway.kernel.expressions.complaints import complaint, position_at
from gateway.kernel.expressions.environment import Environment, environment_of
from gateway.kernel.expressions.errors import ExpressionError
from gateway.kernel.expressions.expression import Expression
from gateway.kernel.expressions.fields import Fields, FieldType
from gateway.kernel.expressions.spelling import spelled
from gateway.kernel.expressions.wire import presence_test, read_checked

TEXT_LENGTH_MAX: Final = 8_192
"""Characters. A longer condition holds data, which belongs in a list."""


def check(text: str, fields: Fields, *, bounded: bool = True) -> Expression:
    """Check one condition and give its tree.

    Raises ExpressionError where it is no condition over these fields. The checker is C++ and bounds nesting at 32
    itself; length and characters are bounded before it sees the text. What was taken before is not `bounded` again: its
    length, operators and patterns may be more than would be taken today.
    """
    _refuse_unreadable(text, TEXT_LENGTH_MAX if bounded else len(text))
    environment = environment_of(fields)
    try:
        tree = read_checked(environment.checked(spelled(text, fields)))
    except RuntimeError as error:
        raise complaint(str(error), fields) from None
    builder = Builder(text, fields, tree, bounded=bounded)
    root = builder.node(tree.root)
    if "has" in text:
        _refuse_presence_tests(text, environment)
    if root.type is not FieldType.BOOL:
        raise ExpressionError(f"a condition is true or false; this is {root.type}", 1, 1, "compare it with something")
    return Expression(text, root, frozenset(builder.names), tuple(builder.calls.values()))


def _refuse_unreadable(text: str, length_max: int) -> None:
    if len(text) > length_max:
        line, column = position_at(text, length_max)
        hint = "split it, or put what it compares with into a list"
        raise ExpressionError(f"longer than {length_max} characters", line, column, hint)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line, column = position_at(text, error.start)
        raise ExpressionError("half of a character (a lone surrogate)", line, column, "type it again") from None


def _refuse_presence_tests(text: str, environment: Environment) -> None:
    """The checker makes payment.flag of has(payment.flag), which is something else: only the parser still tells."""
    offset = presence_test(environment.parsed(text))
    if offset is not None:
        line, column = position_at(text, offset)
        raise ExpressionError("conditions have no has()", line, column, "write known(payment.…)")
