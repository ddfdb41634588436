"""Arithmetic, conversions and orderings at the ends of their types give what CEL gives."""

from __future__ import annotations

import math
from itertools import product

import pytest

from gateway.kernel.expressions import FieldType, Value
from gateway.kernel.expressions.operations import OPERATIONS
from gateway.kernel.expressions.tree import Operator
from tests.support.conditions import DOUBLES, INTS, STRINGS, Oracle, literal

ORACLE = Oracle()
NUMBERS = {
    FieldType.INT: (*INTS, 4, -4, 5),
    FieldType.DOUBLE: (*DOUBLES, math.inf, -math.inf, math.nan),
    FieldType.STRING: STRINGS,
}
NAMES = {FieldType.INT: ("f.i", "f.j"), FieldType.DOUBLE: ("f.x", "f.y"), FieldType.STRING: ("f.s", "f.t")}
SIGNS = {
    Operator.ADD: "+",
    Operator.SUBTRACT: "-",
    Operator.MULTIPLY: "*",
    Operator.DIVIDE: "/",
    Operator.MODULO: "%",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
    Operator.EQUAL: "==",
    Operator.UNEQUAL: "!=",
}
CASES = [(operator, kind) for operator, kind in OPERATIONS if operator in SIGNS and kind in NUMBERS]


def agrees(text: str, given: dict[str, Value | None], result: Value | None) -> bool:
    """Whether CEL's value of the text is this one: equal, NaN too, or an error too."""
    known = {name: given.get(name) for name in ("f.i", "f.j", "f.x", "f.y", "f.s", "f.t", "f.b", "f.c", "f.l")}
    if result is None:
        return ORACLE.verdict(f"({text}) == ({text})", known) is None
    if isinstance(result, float) and math.isnan(result):
        return ORACLE.verdict(f"({text}) != ({text})", known) is True
    expected = literal(result).replace("inf", "1e999")
    return ORACLE.verdict(f"({text}) == {expected}", known) is True


@pytest.mark.parametrize(("operator", "kind"), CASES)
def test_two_operands_give_what_cel_gives(operator: Operator, kind: FieldType) -> None:
    first, second = NAMES[kind]
    for left, right in product(NUMBERS[kind], NUMBERS[kind]):
        result = OPERATIONS[operator, kind](left, right)
        assert agrees(f"{first} {SIGNS[operator]} {second}", {first: left, second: right}, result), (left, right)


@pytest.mark.parametrize(
    ("operator", "kind", "text"),
    [
        (Operator.NEGATE, FieldType.INT, "-f.i"),
        (Operator.NEGATE, FieldType.DOUBLE, "-f.x"),
        (Operator.TO_INT, FieldType.INT, "int(f.i)"),
        (Operator.TO_INT, FieldType.DOUBLE, "int(f.x)"),
        (Operator.TO_DOUBLE, FieldType.INT, "double(f.i)"),
        (Operator.TO_DOUBLE, FieldType.DOUBLE, "double(f.x)"),
        (Operator.SIZE, FieldType.STRING, "size(f.s)"),
    ],
)
def test_one_operand_gives_what_cel_gives(operator: Operator, kind: FieldType, text: str) -> None:
    for value in NUMBERS[kind]:
        assert agrees(text, {NAMES[kind][0]: value}, OPERATIONS[operator, kind](value)), value


@pytest.mark.parametrize("test", ["startsWith", "endsWith", "contains"])
def test_texts_are_tested_as_cel_tests_them(test: str) -> None:
    for left, right in product(STRINGS, STRINGS):
        result = OPERATIONS[Operator(test), FieldType.STRING](left, right)
        assert agrees(f"f.s.{test}(f.t)", {"f.s": left, "f.t": right}, result), (left, right)
