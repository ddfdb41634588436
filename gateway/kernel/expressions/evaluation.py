"""Evaluates a condition's tree in process, exactly as CEL does: closures over the values, where None is an error.

What each operation does stands in `operations.py`; hypothesis holds both against cel-expr-python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from gateway.kernel.expressions.fields import Value
from gateway.kernel.expressions.operations import OPERATIONS
from gateway.kernel.expressions.patterns import pattern_test
from gateway.kernel.expressions.tree import Choices, Constant, FieldValue, Node, Operation, Operator

Values: TypeAlias = Mapping[str, Value | None]
Evaluator: TypeAlias = Callable[[Values], Value | None]


def evaluator(node: Node) -> Evaluator:
    """A function from the values to the node's value, or None where that is an error."""
    match node:
        case Constant(value=value):
            return lambda _values: value
        case FieldValue(name=name):
            return lambda values: values.get(name)
        case Operation():
            return _operation(node)
        case Choices():
            raise AssertionError("a list is evaluated by the operator that holds it")


def _operation(node: Operation) -> Evaluator:
    operands = node.operands
    match node.operator:
        case Operator.AND | Operator.OR:
            return _all([evaluator(operand) for operand in operands], absorbing=node.operator is Operator.OR)
        case Operator.CHOOSE:
            return _choose(*(evaluator(operand) for operand in operands))
        case Operator.KNOWN:
            value_of = evaluator(operands[0])
            return lambda values: value_of(values) is not None
        case Operator.IN:
            return _membership(*operands)
        case Operator.MATCHES:
            return _matching(*operands)
        case _:
            return _plain(node)


def _all(operands: list[Evaluator], *, absorbing: bool) -> Evaluator:
    """AND (absorbing false) or OR (absorbing true): one absorbing operand decides, whatever errors stand beside it."""

    def judge(values: Values) -> bool | None:
        verdict: bool | None = not absorbing
        for operand in operands:
            value = operand(values)
            if value is absorbing:
                return absorbing
            if value is None:
                verdict = None
        return verdict

    return judge


def _choose(condition: Evaluator, chosen: Evaluator, other: Evaluator) -> Evaluator:
    def choose(values: Values) -> Value | None:
        verdict = condition(values)
        if verdict is None:
            return None
        return chosen(values) if verdict else other(values)

    return choose


def _membership(value: Node, among: Node) -> Evaluator:
    value_of = evaluator(value)
    if isinstance(among, Choices) and all(isinstance(element, Constant) for element in among.elements):
        return _one_of(value_of, frozenset(e.value for e in among.elements if isinstance(e, Constant)))
    if isinstance(among, Choices):
        return _one_of_computed(value_of, [evaluator(element) for element in among.elements])
    list_of = evaluator(among)

    def is_in_list(values: Values) -> bool | None:
        found, listed = value_of(values), list_of(values)
        return None if found is None or not isinstance(listed, tuple) else found in listed

    return is_in_list


def _one_of(value_of: Evaluator, choices: frozenset[Value]) -> Evaluator:
    def is_one_of(values: Values) -> bool | None:
        value = value_of(values)
        return None if value is None else value in choices

    return is_one_of


def _one_of_computed(value_of: Evaluator, elements: list[Evaluator]) -> Evaluator:
    """A list with an element that is an error is an error itself."""

    def is_one_of(values: Values) -> bool | None:
        value = value_of(values)
        choices = [element(values) for element in elements]
        return None if value is None or None in choices else any(choice == value for choice in choices)

    return is_one_of


def _matching(text: Node, pattern: Node) -> Evaluator:
    assert isinstance(pattern, Constant)
    text_of, test = evaluator(text), pattern_test(str(pattern.value))

    def matches(values: Values) -> bool | None:
        value = text_of(values)
        return None if value is None else test(str(value))

    return matches


def _plain(node: Operation) -> Evaluator:
    """An operation that is an error as soon as one of its one or two operands is."""
    operands = [evaluator(operand) for operand in node.operands]
    operation = OPERATIONS[node.operator, node.operands[0].type]
    if len(operands) == 1:
        only = operands[0]

        def apply_to_one(values: Values) -> Value | None:
            value = only(values)
            return None if value is None else operation(value)

        return apply_to_one
    left_of, right_of = operands

    def apply_to_two(values: Values) -> Value | None:
        left = left_of(values)
        right = right_of(values)
        return None if left is None or right is None else operation(left, right)

    return apply_to_two
