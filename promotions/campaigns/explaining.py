"""Says which part of a condition kept a campaign from a payment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.kernel.expressions import Expression, Value
from gateway.kernel.expressions.evaluation import evaluator
from gateway.kernel.expressions.tree import FieldValue, Node, Operation, Operator, nodes_of
from gateway.kernel.expressions.writing import text_of

TEXT_LENGTH_MAX: Final = 160
"""Characters of a part, or of a value, that are shown."""
_FIELDS_MAX: Final = 4


def parts_of(tree: Node) -> Sequence[Node]:
    """What stands on both sides of each && at the top: all of them must be true."""
    if isinstance(tree, Operation) and tree.operator is Operator.AND:
        return tree.operands
    return (tree,)


def explain_condition(condition: Expression | None, values: Mapping[str, Value | None]) -> str | None:
    """A sentence that names the part of a condition that is not true of these values; None where all are.

    A part that is false is told before one that is unknown, as only that would help.
    """
    if condition is None:
        return None
    judged = [(part, evaluator(part)(values)) for part in parts_of(condition.tree)]
    for wanted in (False, None):
        for part, verdict in judged:
            if verdict is wanted:
                return _sentence(part, values)
    return None


def _sentence(part: Node, values: Mapping[str, Value | None]) -> str:
    names = list(dict.fromkeys(node.name for node in nodes_of(part) if isinstance(node, FieldValue)))
    seen = [f"{name} {_said(values.get(name))}" for name in names[:_FIELDS_MAX]]
    return f"{quoted(part)} is not true: {', '.join(seen)}." if seen else f"{quoted(part)} is not true."


def quoted(part: Node) -> str:
    """A part of a condition as people read it, cut where it is long."""
    return f"“{_cut(text_of(part))}”"


def _said(value: Value | None) -> str:
    if value is None:
        return "is not known"
    if isinstance(value, tuple):
        return f"is {_cut(', '.join(value))}" if value else "is empty"
    return f"is {str(value).lower() if isinstance(value, bool) else _cut(str(value))}"


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH_MAX else f"{text[: TEXT_LENGTH_MAX - 1]}…"
