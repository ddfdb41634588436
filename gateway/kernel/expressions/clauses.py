"""Turns a condition into alternatives, each a set of constraints that must all hold: what the index can hold.

"Is true" and "is false" are asked apart, and an error is neither. So a negation goes down to the comparisons, where it
turns one constraint into another; && and || absorb errors as CEL does without anyone counting them; and a comparison
with null, an error, meets no constraint at all. What is no comparison with a literal becomes a computed term: its
value (true or false, or a number that is compared) is then held against a constraint like a field's.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from gateway.kernel.expressions.constraints import (
    KNOWN,
    NULL,
    Constraint,
    beginning_with,
    compared,
    mirrored,
    one_of,
)
from gateway.kernel.expressions.evaluation import evaluator
from gateway.kernel.expressions.tree import Choices, Constant, FieldValue, Node, Operation, Operator, nodes_of

CLAUSES_MAX: Final = 16
"""Alternatives of one condition; what would make more of them is evaluated as a whole."""

Clause: TypeAlias = dict[str, Constraint]
"""By term: what must all hold. An empty clause always holds."""

_ORDERED: Final = frozenset(
    {
        Operator.EQUAL,
        Operator.UNEQUAL,
        Operator.LESS,
        Operator.LESS_OR_EQUAL,
        Operator.GREATER,
        Operator.GREATER_OR_EQUAL,
    }
)


class Clauses:
    """Makes clauses of trees; `terms` collects what they ask of, by a key that equal terms share."""

    def __init__(self) -> None:
        self.terms: dict[str, Node] = {}

    def of(self, node: Node, wanted: bool = True) -> list[Clause]:
        """The alternatives that make the node true, or (not wanted) false; none where nothing can."""
        if isinstance(node, FieldValue):
            return [{self._term(node): Constraint(among=frozenset({wanted}))}]
        if not any(isinstance(below, FieldValue) for below in nodes_of(node)):
            return [{}] if evaluator(node)({}) is wanted else []
        assert isinstance(node, Operation)
        match node.operator:
            case Operator.NOT:
                return self.of(node.operands[0], not wanted)
            case Operator.AND | Operator.OR:
                return self._joined(node, wanted)
            case Operator.CHOOSE:
                return self._chosen(node, wanted)
            case _:
                return self._atom(node, wanted)

    def _joined(self, node: Operation, wanted: bool) -> list[Clause]:
        if (node.operator is Operator.AND) is wanted:
            return self._all(node.operands, wanted)
        return self._any(node, [self.of(operand, wanted) for operand in node.operands], wanted)

    def _chosen(self, node: Operation, wanted: bool) -> list[Clause]:
        condition, chosen, other = node.operands
        first = _product(self.of(condition, True), self.of(chosen, wanted))
        second = _product(self.of(condition, False), self.of(other, wanted))
        return self._any(node, [first, second], wanted)

    def _all(self, operands: tuple[Node, ...], wanted: bool) -> list[Clause]:
        product: list[Clause] = [{}]
        for operand in operands:
            clauses = self.of(operand, wanted)
            if len(product) * len(clauses) > CLAUSES_MAX:
                clauses = self._computed(operand, wanted)
            product = _product(product, clauses)
        return product

    def _any(self, node: Operation, alternatives: list[list[Clause]], wanted: bool) -> list[Clause]:
        clauses = _merged([clause for some in alternatives for clause in some])
        return clauses if len(clauses) <= CLAUSES_MAX else self._computed(node, wanted)

    def _atom(self, node: Operation, wanted: bool) -> list[Clause]:
        if node.operator is Operator.KNOWN:
            return [{self._term(node.operands[0]): KNOWN if wanted else NULL}]
        term, constraint = _constrained(node, wanted)
        if constraint is None:
            return self._computed(node, wanted)
        if constraint.among is not None and not constraint.among:
            return []
        return [{self._term(term): constraint}]

    def _computed(self, node: Node, wanted: bool) -> list[Clause]:
        return [{self._term(node): Constraint(among=frozenset({wanted}))}]

    def _term(self, node: Node) -> str:
        """The term's key. Of a computed one it is the representation, in which -0.0 and 0.0 differ as they must."""
        key = node.name if isinstance(node, FieldValue) else repr(node)
        self.terms.setdefault(key, node)
        return key


def _constrained(node: Operation, wanted: bool) -> tuple[Node, Constraint | None]:
    """The term that a test asks of, and what it asks; None where no constraint says it."""
    if len(node.operands) != 2:
        return node, None
    left, right = node.operands
    operator = node.operator
    if operator in _ORDERED and isinstance(left, Constant):
        left, right, operator = right, left, mirrored(operator)
    if operator in _ORDERED and isinstance(right, Constant):
        return left, compared(operator, left.type, right.value, wanted)
    if operator is Operator.IN and isinstance(right, Choices):
        literals = [element.value for element in right.elements if isinstance(element, Constant)]
        whole = len(literals) == len(right.elements)
        return left, one_of(frozenset(literals), wanted) if whole else None
    if operator is Operator.STARTS_WITH and isinstance(right, Constant) and wanted:
        return left, beginning_with(str(right.value))
    return node, None


def _product(some: list[Clause], others: list[Clause]) -> list[Clause]:
    return [both for one in some for other in others if (both := _both(one, other)) is not None]


def _both(one: Clause, other: Clause) -> Clause | None:
    """The clause that asks for both, or None where they contradict each other."""
    joint = dict(one)
    for term, constraint in other.items():
        held = joint.get(term)
        merged = constraint if held is None else held.both(constraint)
        if merged is None:
            return None
        joint[term] = merged
    return joint


def _merged(clauses: list[Clause]) -> list[Clause]:
    """Alternatives that only list values of one term become one list: a == 'x' || a == 'y' is a in ['x', 'y']."""
    if any(not clause for clause in clauses):
        return [{}]
    listed: dict[str, frozenset[object]] = {}
    rest: list[Clause] = []
    for clause in clauses:
        term, constraint = next(iter(clause.items()))
        if len(clause) == 1 and constraint.among is not None:
            listed[term] = listed.get(term, frozenset()) | constraint.among
        else:
            rest.append(clause)
    return [{term: Constraint(among=values)} for term, values in listed.items()] + rest
