"""What a condition asks of one term: a range, a list of values, values to be avoided. The index is made of these."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple, TypeAlias

from gateway.kernel.expressions.fields import FieldType
from gateway.kernel.expressions.tree import Operator

Point: TypeAlias = Any
"""A value of the term's one type, so that all points of a term compare with one another."""


class Constraint(NamedTuple):
    """A known value at or above `low`, below `high` (None: no bound) and none of `avoided`; or, where `among` is given,
    simply one of these, of which None stands for null.

    Every comparison with a literal is one of these, as what is below is half open: `a > 5` of an integer is `low` 6.
    (A named tuple: a large set has a hundred thousand, and unpickles them in a quarter of a dataclass's time.)
    """

    low: Point = None
    high: Point = None
    avoided: frozenset[Point] = frozenset()
    among: frozenset[Point] | None = None

    def met_by(self, value: Point) -> bool:
        """Whether a value, None for null, is what is asked for."""
        if self.among is not None:
            return value in self.among
        return (
            value is not None
            and (self.low is None or value >= self.low)
            and (self.high is None or value < self.high)
            and value not in self.avoided
        )

    @property
    def unbounded(self) -> bool:
        """Whether it has neither bounds nor a list: what NaN meets, which compares with nothing."""
        return self.low is None and self.high is None and self.among is None

    def both(self, other: Constraint) -> Constraint | None:
        """What meets this one and the other; None where nothing can."""
        if self.among is not None or other.among is not None:
            among = frozenset(v for v in self.among or other.among or () if self.met_by(v) and other.met_by(v))
            return Constraint(among=among) if among else None
        low = self.low if other.low is None or (self.low is not None and self.low >= other.low) else other.low
        high = self.high if other.high is None or (self.high is not None and self.high <= other.high) else other.high
        if low is not None and high is not None and low >= high:
            return None
        return Constraint(low, high, self.avoided | other.avoided)


KNOWN: Final = Constraint()
NULL: Final = Constraint(among=frozenset({None}))
_MIRRORED: Final = {
    Operator.LESS: Operator.GREATER,
    Operator.LESS_OR_EQUAL: Operator.GREATER_OR_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_OR_EQUAL: Operator.LESS_OR_EQUAL,
}
_OPPOSITE: Final = {
    Operator.LESS: Operator.GREATER_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.GREATER,
    Operator.GREATER: Operator.LESS_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.LESS,
}


def mirrored(operator: Operator) -> Operator:
    """The operator once its sides have changed places."""
    return _MIRRORED.get(operator, operator)


def one_of(values: frozenset[Point], wanted: bool) -> Constraint:
    """Being in a list, or (not wanted) known and not in it."""
    return Constraint(among=values) if wanted else Constraint(avoided=values)


def compared(operator: Operator, kind: FieldType, bound: Point, wanted: bool) -> Constraint | None:
    """What makes a comparison of a term of this type with a literal true, or (not wanted) false.

    None where a range cannot say it: an ordering of booleans, and a comparison of doubles that is false, as all are
    false of NaN.
    """
    if operator in (Operator.EQUAL, Operator.UNEQUAL):
        return one_of(frozenset({bound}), wanted is (operator is Operator.EQUAL))
    if kind is FieldType.BOOL or (kind is FieldType.DOUBLE and not wanted):
        return None
    return _range(operator if wanted else _OPPOSITE[operator], bound)


def _range(operator: Operator, bound: Point) -> Constraint:
    if operator is Operator.GREATER_OR_EQUAL:
        return Constraint(low=bound)
    if operator is Operator.LESS:
        return Constraint(high=bound)
    above = next_above(bound)
    if operator is Operator.GREATER:
        return Constraint(among=frozenset()) if above is None else Constraint(low=above)
    if above is None:  # at most infinity: any number, which NaN is not
        return Constraint(low=-math.inf)
    return Constraint(high=above)


def next_above(value: Point) -> Point:
    """The least value above this one, of its type; None above infinity."""
    if isinstance(value, str):
        return value + "\0"
    if isinstance(value, float):
        return None if value == math.inf else math.nextafter(value, math.inf)
    return value + 1


def beginning_with(prefix: str) -> Constraint:
    """Texts with a prefix are those between it and the next text that does not begin with it."""
    stem = prefix.rstrip("\U0010ffff")
    high = stem[:-1] + chr(ord(stem[-1]) + 1) if stem else None
    return Constraint(low=prefix or None, high=high)
