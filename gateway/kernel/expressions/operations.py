"""What each operation gives for given operands, by CEL's definition; None is an error.

Source: the language definition and list of standard definitions of github.com/google/cel-spec; integers are of 64 bits
and never wrap, doubles are IEEE 754, texts compare by code point.
"""

from __future__ import annotations

import math
import operator as python
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from gateway.kernel.expressions.fields import FieldType, Value
from gateway.kernel.expressions.tree import Operator

Applied: TypeAlias = Callable[..., Value | None]

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1


def within_64_bits(value: int) -> int | None:
    """The value, or None where it does not fit."""
    return value if INT_MIN <= value <= INT_MAX else None


def _divide_int(left: int, right: int) -> int | None:
    """Division towards zero."""
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return within_64_bits(quotient if (left < 0) is (right < 0) else -quotient)


def _modulo_int(left: int, right: int) -> int | None:
    """The rest has the sign of the dividend; the smallest integer over -1 overflows."""
    if right == 0 or (left == INT_MIN and right == -1):
        return None
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _divide_double(left: float, right: float) -> float:
    if right != 0.0:
        return left / right
    if left == 0.0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _to_int(value: float) -> int | None:
    """Towards zero; what lies on or beyond the ends of 64 bits is an error."""
    if not -(2.0**63) < value < 2.0**63:
        return None
    return math.trunc(value)


_COMPARISONS: Final[dict[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUAL: python.eq,
    Operator.UNEQUAL: python.ne,
    Operator.LESS: python.lt,
    Operator.LESS_OR_EQUAL: python.le,
    Operator.GREATER: python.gt,
    Operator.GREATER_OR_EQUAL: python.ge,
}
_PLAIN: Final = (FieldType.INT, FieldType.DOUBLE, FieldType.STRING, FieldType.BOOL)

OPERATIONS: Final[dict[tuple[Operator, FieldType], Applied]] = {
    **{(sign, kind): comparison for sign, comparison in _COMPARISONS.items() for kind in _PLAIN},
    (Operator.NOT, FieldType.BOOL): python.not_,
    (Operator.ADD, FieldType.INT): lambda left, right: within_64_bits(left + right),
    (Operator.ADD, FieldType.DOUBLE): python.add,
    (Operator.ADD, FieldType.STRING): python.add,
    (Operator.SUBTRACT, FieldType.INT): lambda left, right: within_64_bits(left - right),
    (Operator.SUBTRACT, FieldType.DOUBLE): python.sub,
    (Operator.MULTIPLY, FieldType.INT): lambda left, right: within_64_bits(left * right),
    (Operator.MULTIPLY, FieldType.DOUBLE): python.mul,
    (Operator.DIVIDE, FieldType.INT): _divide_int,
    (Operator.DIVIDE, FieldType.DOUBLE): _divide_double,
    (Operator.MODULO, FieldType.INT): _modulo_int,
    (Operator.NEGATE, FieldType.INT): lambda value: within_64_bits(-value),
    (Operator.NEGATE, FieldType.DOUBLE): python.neg,
    (Operator.SIZE, FieldType.STRING): len,
    (Operator.SIZE, FieldType.STRING_LIST): len,
    (Operator.STARTS_WITH, FieldType.STRING): str.startswith,
    (Operator.ENDS_WITH, FieldType.STRING): str.endswith,
    (Operator.CONTAINS, FieldType.STRING): python.contains,
    (Operator.TO_INT, FieldType.INT): python.pos,
    (Operator.TO_INT, FieldType.DOUBLE): _to_int,
    (Operator.TO_DOUBLE, FieldType.INT): float,
    (Operator.TO_DOUBLE, FieldType.DOUBLE): python.pos,
}
"""By operator and the type of the first operand."""
