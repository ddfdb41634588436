"""Writes a condition's tree as CEL again: for telling which part of a condition it was."""

from __future__ import annotations

from typing import Final

from gateway.kernel.expressions.tree import Choices, Constant, FieldValue, Node, Operation, Operator

_BINDING: Final = {
    Operator.CHOOSE: 0,
    Operator.OR: 1,
    Operator.AND: 2,
    Operator.EQUAL: 3,
    Operator.UNEQUAL: 3,
    Operator.LESS: 3,
    Operator.LESS_OR_EQUAL: 3,
    Operator.GREATER: 3,
    Operator.GREATER_OR_EQUAL: 3,
    Operator.IN: 3,
    Operator.ADD: 4,
    Operator.SUBTRACT: 4,
    Operator.MULTIPLY: 5,
    Operator.DIVIDE: 5,
    Operator.MODULO: 5,
    Operator.NOT: 6,
    Operator.NEGATE: 6,
}
"""How tightly an operator holds its operands; calls, fields and literals hold tightest (7)."""
_TIGHTEST: Final = 7
_MEMBERS: Final = frozenset({Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.CONTAINS, Operator.MATCHES})
_ESCAPES: Final = {"\\": "\\\\", "'": "\\'"}


def text_of(node: Node) -> str:
    """The node in CEL, with the brackets that it needs; checking it again gives the same tree."""
    match node:
        case Constant(value=value):
            return _literal(value)
        case FieldValue(name=name):
            return name
        case Choices(elements=elements):
            return f"[{', '.join(map(text_of, elements))}]"
        case Operation():
            return _operation(node)


def _operation(node: Operation) -> str:
    operator, operands = node.operator, node.operands
    if operator in _MEMBERS:
        return f"{_within(operands[0], _TIGHTEST)}.{operator}({text_of(operands[1])})"
    binding = _BINDING.get(operator)
    if binding is None:
        return f"{operator}({text_of(operands[0])})"
    if operator is Operator.CHOOSE:
        condition, chosen, other = operands
        return f"{_within(condition, 1)} ? {_within(chosen, 1)} : {_within(other, 1)}"
    sign = operator.strip("_@")
    if len(operands) == 1:  # -(1) is an operation, -1 a literal
        only = operands[0]
        return f"{sign}({text_of(only)})" if isinstance(only, Constant) else sign + _within(only, _TIGHTEST)
    first, *rest = operands
    return f" {sign} ".join([_within(first, binding), *[_within(operand, binding + 1) for operand in rest]])


def _within(node: Node, binding: int) -> str:
    """The node as an operand, in brackets where it holds together less tightly than that."""
    held = _BINDING.get(node.operator, _TIGHTEST) if isinstance(node, Operation) else _TIGHTEST
    negative = isinstance(node, Constant) and isinstance(node.value, (int, float)) and str(node.value).startswith("-")
    text = text_of(node)
    return f"({text})" if held < binding or (negative and binding == _TIGHTEST) else text


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + "".join(map(_letter, value)) + "'"
    return repr(value)


def _letter(letter: str) -> str:
    return _ESCAPES.get(letter, letter) if letter.isprintable() else f"\\U{ord(letter):08x}"
