"""What is checked of a rule's condition, and of all conditions of a set together: what it would cost, what it names."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from gateway.kernel.documents import Problem, Problems
from gateway.kernel.expressions import Expression, ExpressionError, check
from gateway.kernel.expressions.clauses import Clauses
from gateway.kernel.expressions.complaints import closest, position_at
from gateway.kernel.expressions.fields import Call
from risk.fields import FIELDS, LISTED, MODEL_SCORE
from risk.velocity import spec
from risk.velocity.spec import VELOCITIES_MAX, Velocity

LISTED_MAX: Final = 64
"""Different look-ups in lists in one rule set."""


@lru_cache(4_096)
def condition(text: str) -> Expression:
    """A condition over the fields of risk, remembered: most rules of a new version are those of the one before.

    Raises ExpressionError.
    """
    return check(text, FIELDS)


def condition_of(value: object, path: str, problems: Problems, *, given: bool) -> Expression | None:
    """The condition in a JSON value; what is wrong with it is noted with its line and column, and it is None."""
    if not isinstance(value, str) or not value.strip():
        problems.note(path, "takes a condition, a text" if given else "is required")
        return None
    try:
        return condition(value)
    except ExpressionError as error:
        problems.add(Problem(path, error.message, error.line, error.column, error.hint))
        return None


class SetChecks:
    """What the conditions of one set have looked up so far, held against what a set may."""

    def __init__(self, problems: Problems, lists: Collection[str] | None) -> None:
        self._problems = problems
        self._lists = lists
        self._velocities: set[Velocity] = set()
        self._listed: set[str] = set()

    def look(self, when: Expression, path: str, *, scored: bool) -> None:
        """Note what is wrong with one more condition in this set; `scored` is whether the set names a model."""
        for call in when.calls:
            if call.function == spec.FUNCTION.name:
                self._count_velocity(call, when, path)
            elif call.function == LISTED.name:
                self._count_listed(call, when, path)
        if MODEL_SCORE in when.names and not scored:
            hint = 'name one beside the rules: "model": 1'
            self._note(path, when, MODEL_SCORE, "the rule set names no model, so there is no score", hint)
        if not Clauses().of(when.tree):
            self._problems.add(Problem(path, "can never be true", 1, 1, "its parts contradict each other"))

    def _count_velocity(self, call: Call, when: Expression, path: str) -> None:
        velocity = Velocity.of(call)
        if velocity in self._velocities:
            return
        if len(self._velocities) == VELOCITIES_MAX:
            message = f"more than {VELOCITIES_MAX} different velocities in one rule set"
            self._note(path, when, call.function, message, "use one that other rules use: the same key and window")
            return
        self._velocities.add(velocity)

    def _count_listed(self, call: Call, when: Expression, path: str) -> None:
        name = call.arguments[0]
        if self._lists is not None and name not in self._lists:
            self._note(path, when, name, f"there is no list “{name}”", closest(name, self._lists) or "make it first")
        if call.name in self._listed:
            return
        if len(self._listed) == LISTED_MAX:
            message = f"more than {LISTED_MAX} different look-ups in lists in one rule set"
            self._note(path, when, call.function, message, "put what belongs together into one list")
            return
        self._listed.add(call.name)

    def _note(self, path: str, when: Expression, word: str, message: str, hint: str) -> None:
        """A problem at the first use of a word in the condition."""
        found = re.search(rf"\b{re.escape(word)}\b", when.text)
        line, column = position_at(when.text, 0 if found is None else found.start())
        self._problems.add(Problem(path, message, line, column, hint))
