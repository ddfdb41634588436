"""Matches one set of values against many conditions at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.kernel.expressions.evaluation import evaluator
from gateway.kernel.expressions.expression import Expression
from gateway.kernel.expressions.fields import Value


class Matcher:
    """A set of conditions, compiled once. Immutable; the position of a condition in the set is its name here."""

    __slots__ = ("_evaluators", "calls", "names")

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self._evaluators = tuple(evaluator(expression.tree) for expression in expressions)
        self.names = frozenset(name for expression in expressions for name in expression.names)
        self.calls = tuple({call.name: call for expression in expressions for call in expression.calls}.values())

    def matches(self, values: Mapping[str, Value | None]) -> tuple[int, ...]:
        """The positions, in rising order, of the conditions that are true of these values."""
        return tuple(at for at, judge in enumerate(self._evaluators) if judge(values) is True)
