"""What is checked of a rule's condition, and of all conditions of a set together: what it would cost, what it names."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import islice
from typing import Final, TypeGuard

from gateway.kernel.documents import Problem, Problems
from gateway.kernel.expressions import Expression, ExpressionError
from gateway.kernel.expressions.clauses import Clauses
from gateway.kernel.expressions.complaints import closest, position_at
from gateway.kernel.expressions.fields import Call
from gateway.kernel.expressions.patterns import size_at_most
from gateway.kernel.expressions.shapes import Shapes
from gateway.kernel.expressions.tree import Constant, FieldValue, Node, Operation, Operator, nodes_of
from risk.fields import FIELDS, LISTED, MODEL_SCORE
from risk.velocity import spec
from risk.velocity.spec import VELOCITIES_MAX, Velocity

LISTED_MAX: Final = 64
"""Different look-ups in lists in one rule set."""
TERMS_MAX: Final = 1_000
"""Different terms in one rule set that have to be worked out for each payment: all but a field or call that is compared
with a literal, which the index looks up for any number of rules at once."""
STEPS_MAX: Final = 10_000
"""Operations and look-ups in all of these together: some 2 ms for each payment."""
PATTERNS_MAX: Final = 64
"""Different uses of matches() among them."""
PATTERNS_SIZE_MAX: Final = 1_024
"""Of all their patterns (`size_at_most`), each of which is compiled for each payment: some 4 ms at worst."""
_SHAPES: Final = Shapes(FIELDS)
_SHAPES_TAKEN: Final = Shapes(FIELDS, bounded=False)


def condition_of(
    value: object, path: str, problems: Problems, *, given: bool, bounded: bool = True
) -> Expression | None:
    """The condition in a JSON value; what is wrong with it is noted with its line and column, and it is None.

    What was saved once is not `bounded` again.
    """
    if not isinstance(value, str) or not value.strip():
        problems.note(path, "takes a condition, a text" if given else "is required")
        return None
    if "\0" in value:
        problems.note(path, "has a NUL character: in a text it is written as \\x00")
        return None
    try:
        return (_SHAPES if bounded else _SHAPES_TAKEN).check(value)
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
        self._clauses = Clauses()
        self._looked_at = self._worked_out = self._steps = self._patterns = self._patterns_size = 0
        self._told_cost = False

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
        if not self._clauses.of(when.tree):
            self._problems.add(Problem(path, "can never be true", 1, 1, "its parts contradict each other"))
        self._count_terms(path)

    def _count_terms(self, path: str) -> None:
        """The terms that the last condition brought, in the order in which the index makes them."""
        terms = self._clauses.terms
        if len(terms) == self._looked_at or self._told_cost:
            return
        for term in islice(terms.values(), self._looked_at, None):
            if isinstance(term, FieldValue):
                continue
            self._worked_out += 1
            for node in nodes_of(term):
                self._steps += not isinstance(node, Constant)
                if _is_pattern(node):
                    self._patterns += 1
                    self._patterns_size += _pattern_size(node)
        self._looked_at = len(terms)
        self._judge_cost(path)

    def _judge_cost(self, path: str) -> None:
        simpler = "compare fields with literals, and put long lists of values into a list"
        fewer = "write startsWith() or ==, or join patterns: 'one|other'"
        if self._worked_out > TERMS_MAX:
            self._tell_cost(path, f"more than {TERMS_MAX} different computations in one rule set", simpler)
        elif self._steps > STEPS_MAX:
            self._tell_cost(path, f"more than {STEPS_MAX} steps of computations in one rule set", simpler)
        elif self._patterns > PATTERNS_MAX:
            self._tell_cost(path, f"more than {PATTERNS_MAX} different patterns in one rule set", fewer)
        elif self._patterns_size > PATTERNS_SIZE_MAX:
            self._tell_cost(path, "the patterns of the rule set are too large together", fewer)

    def _tell_cost(self, path: str, message: str, hint: str) -> None:
        self._told_cost = True
        self._problems.add(Problem(path, message, 1, 1, hint))

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


def _is_pattern(node: Node) -> TypeGuard[Operation]:
    return isinstance(node, Operation) and node.operator is Operator.MATCHES


def _pattern_size(matches: Operation) -> int:
    pattern = matches.operands[1]
    assert isinstance(pattern, Constant), "the checker takes no other"
    return size_at_most(str(pattern.value))
