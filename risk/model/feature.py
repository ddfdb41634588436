"""What a model looks at: fields and velocities as rules name them, or one of them divided by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.kernel.expressions import ExpressionError, FieldType, Value, check
from gateway.kernel.expressions.fields import Call
from gateway.kernel.expressions.tree import FieldValue, nodes_of
from risk.fields import FIELDS, LISTED, MODEL_SCORE

FEATURES_MAX: Final = 128
_OVER: Final = " / "
_TAKEN: Final = frozenset({FieldType.INT, FieldType.DOUBLE, FieldType.BOOL})
_NOTHING: Final = float("nan")


class FeatureError(ValueError):
    """A text that is no feature; the message says why."""


class Feature(NamedTuple):
    """`text` as it was given; the value of `name`, divided by that of `over` where there is one."""

    text: str
    name: str
    over: str | None = None

    def of(self, values: Mapping[str, Value | None]) -> float:
        """NaN where a value is null, or nothing is divided by."""
        value = values.get(self.name)
        if value is None:
            return _NOTHING
        if self.over is None:
            return value  # type: ignore[return-value]  # a number, as its type has been checked
        over = values.get(self.over)
        return value / over if over else _NOTHING  # type: ignore[operator]


def feature_of(text: str) -> Feature:
    """Read `payment.amount`, or `payment.amount / velocity('mean_amount', 'customer', '30d')`.  Raises FeatureError."""
    name, slash, over = text.partition(_OVER)
    top = _looked_up(name.strip())
    return Feature(text, top) if not slash else Feature(text, top, _looked_up(over.strip()))


def names_of(features: Sequence[Feature]) -> tuple[frozenset[str], tuple[Call, ...]]:
    """The fields and calls that they look at by name, and the calls among them."""
    names = frozenset(name for each in features for name in (each.name, each.over) if name is not None)
    calls = [check(f"known({name})", FIELDS).calls[0] for name in sorted(names) if "(" in name]
    return names, tuple(calls)


@lru_cache(1_024)
def _looked_up(name: str) -> str:
    """The name as the values have it."""
    try:
        tree = check(f"known({name})", FIELDS).tree
    except ExpressionError as error:
        raise FeatureError(f"{name}: {error}") from None
    found = [node for node in nodes_of(tree) if isinstance(node, FieldValue)]
    if len(found) != 1 or found[0].name == MODEL_SCORE:
        raise FeatureError(f"{name} is no field and no velocity")
    if found[0].type not in _TAKEN and not found[0].name.startswith(LISTED.name):
        raise FeatureError(f"{name} is {found[0].type}: a model takes numbers, true and false")
    return found[0].name
