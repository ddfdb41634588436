"""Matches one set of values against many conditions at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.kernel.expressions.blocks import PENDING, Row
from gateway.kernel.expressions.clauses import Clause, Clauses
from gateway.kernel.expressions.constraints import Constraint
from gateway.kernel.expressions.evaluation import evaluator
from gateway.kernel.expressions.expression import Expression
from gateway.kernel.expressions.fields import Call, Value
from gateway.kernel.expressions.index import index_of
from gateway.kernel.expressions.tree import FieldValue


class Matcher:
    """A set of conditions, compiled once. Immutable; the position of a condition in the set is its name here.

    `names` are the fields and calls that any of them looks up, `calls` the calls among them. It keeps nothing of the
    expressions themselves.
    """

    __slots__ = ("_computed", "_fields", "_index", "_pending", "_several", "calls", "names")

    def __init__(self, expressions: Sequence[Expression]) -> None:
        calls = {call.name: call for expression in expressions for call in expression.calls}
        self.names: frozenset[str] = frozenset().union(*(expression.names for expression in expressions))
        self.calls: tuple[Call, ...] = tuple(calls.values())
        made = Clauses()
        alternatives = [made.of(expression.tree) for expression in expressions]
        self._several = any(len(clauses) > 1 for clauses in alternatives)
        self._fields = tuple(key for key, node in made.terms.items() if isinstance(node, FieldValue))
        computed = {key: node for key, node in made.terms.items() if not isinstance(node, FieldValue)}
        self._computed = tuple(evaluator(node) for node in computed.values())
        self._pending = [PENDING] * len(computed)
        slots = {key: slot for slot, key in enumerate((*self._fields, *computed))}
        shared: dict[tuple[int, Constraint], tuple[int, Constraint]] = {}
        rows = [
            Row(at, tuple(shared.setdefault(check, check) for check in _checks(clause, slots)))
            for at, clauses in enumerate(alternatives)
            for clause in clauses
        ]
        self._index = index_of(rows, len(self._fields))

    def matches(self, values: Mapping[str, Value | None]) -> tuple[int, ...]:
        """The positions, in rising order, of the conditions that are true of these values.

        A name that is missing is null. The values are of their fields' types: nobody looks after that here.
        """
        held: list[Any] = list(map(values.get, self._fields))
        held += self._pending
        first = len(self._fields)

        def compute(slot: int) -> Value | None:
            value = held[slot] = self._computed[slot - first](values)
            return value

        hits: list[int] = []
        self._index.collect(held, compute, hits)
        return tuple(sorted(set(hits))) if self._several else tuple(sorted(hits))


def _checks(clause: Clause, slots: Mapping[str, int]) -> list[tuple[int, Constraint]]:
    return [(slots[term], constraint) for term, constraint in clause.items()]
