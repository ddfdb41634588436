"""A condition that has been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.kernel.expressions.evaluation import evaluator
from gateway.kernel.expressions.fields import Call, Value
from gateway.kernel.expressions.tree import Node


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition as its author wrote it, with its tree, the names it looks up and which of them are calls."""

    text: str
    tree: Node
    names: frozenset[str]
    calls: tuple[Call, ...]

    def evaluate(self, values: Mapping[str, Value | None]) -> bool | None:
        """Judge this condition alone: true, false, or None where the result is an error (which never matches).

        For explaining and for tests: it compiles anew each time. Many conditions at once belong in a Matcher.
        """
        verdict = evaluator(self.tree)(values)
        assert verdict is None or isinstance(verdict, bool)
        return verdict
