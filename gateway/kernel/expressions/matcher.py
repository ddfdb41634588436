"""Matches one set of values against many conditions at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from gateway.kernel.expressions.blocks import PENDING, Row
from gateway.kernel.expressions.clauses import Clause, Clauses
from gateway.kernel.expressions.constraints import Constraint
from gateway.kernel.expressions.evaluation import evaluator
from gateway.kernel.expressions.expression import Expression
from gateway.kernel.expressions.fields import Call, Value
from gateway.kernel.expressions.index import Index, Shared, index_of, joined, parts_of, shared_of
from gateway.kernel.expressions.tree import FieldValue, Node


class Matcher:
    """A set of conditions, compiled once. Immutable; the position of a condition in the set is its name here.

    `names` are the fields and calls that any of them looks up, `calls` the calls among them. It keeps nothing of the
    expressions themselves, and it pickles: a large set is built by one process and loaded by others.
    """

    __slots__ = ("_evaluators", "_fields", "_index", "_pending", "_several", "_terms", "calls", "names")

    _terms: tuple[Node, ...]
    _index: Index
    _several: bool
    calls: tuple[Call, ...]
    names: frozenset[str]

    def __init__(self, expressions: Sequence[Expression]) -> None:
        made = Clauses()
        alternatives = [made.of(expression.tree) for expression in expressions]
        terms = dict(sorted(made.terms.items(), key=lambda term: not isinstance(term[1], FieldValue)))
        fields = sum(isinstance(node, FieldValue) for node in terms.values())
        rows = _rows(alternatives, {key: slot for slot, key in enumerate(terms)})
        calls = {call.name: call for expression in expressions for call in expression.calls}
        names: frozenset[str] = frozenset().union(*(expression.names for expression in expressions))
        several = any(len(clauses) > 1 for clauses in alternatives)
        self.__setstate__((tuple(terms.values()), index_of(rows, fields), several, tuple(calls.values()), names))

    def __getstate__(self) -> tuple[object, ...]:
        return self._terms, self._index, self._several, self.calls, self.names

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._terms, self._index, self._several, self.calls, self.names = state
        self._evaluators = tuple(evaluator(node) for node in self._terms)
        self._fields = tuple(node.name for node in self._terms if isinstance(node, FieldValue))  # the first of them all
        self._pending = [PENDING] * (len(self._terms) - len(self._fields))

    def shared(self) -> Iterator[Shared]:
        """What several of its parts refer to: to be written before them, and once."""
        return shared_of(self._index)

    def parts(self) -> Iterator[object]:
        """What it is put together of, each some thousand rows, so that it can be read or let go a little at a time."""
        yield self._terms, self._several, self.calls, self.names
        yield from parts_of(self._index)

    @classmethod
    def of_parts(cls, parts: Iterable[Any]) -> Self:
        """The matcher of these parts, in their order."""
        given = iter(parts)
        terms, several, calls, names = next(given)
        matcher = cls.__new__(cls)
        matcher.__setstate__((terms, joined(given), several, calls, names))
        return matcher

    def matches(self, values: Mapping[str, Value | None]) -> tuple[int, ...]:
        """The positions, in rising order, of the conditions that are true of these values.

        A name that is missing is null. The values are of their fields' types: nobody looks after that here.
        """
        held: list[Any] = [*map(values.get, self._fields), *self._pending]

        def compute(slot: int) -> Value | None:
            value = held[slot] = self._evaluators[slot](values)
            return value

        hits: list[int] = []
        self._index.collect(held, compute, hits)
        return tuple(sorted(set(hits))) if self._several else tuple(sorted(hits))


def _rows(alternatives: Sequence[Sequence[Clause]], slots: Mapping[str, int]) -> list[Row]:
    """The rows of the index; what several of them ask of a slot is one object."""
    shared: dict[tuple[int, Constraint], tuple[int, Constraint]] = {}
    return [
        Row(condition, tuple(shared.setdefault(check, check) for check in _checks(clause, slots)))
        for condition, clauses in enumerate(alternatives)
        for clause in clauses
    ]


def _checks(clause: Clause, slots: Mapping[str, int]) -> list[tuple[int, Constraint]]:
    return [(slots[term], constraint) for term, constraint in clause.items()]
