"""Reads the tests that are attached to a rule: payments as its author imagines them, checked for names and types."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from gateway.kernel.documents import ObjectReader, Problem, Problems, shown
from gateway.kernel.expressions import ExpressionError, FieldType, Value, check
from gateway.kernel.expressions.complaints import closest
from gateway.kernel.expressions.tree import FieldValue, nodes_of
from risk.decision import Verdict
from risk.fields import FIELDS
from risk.rules.rule import Example

EXAMPLES_MAX: Final = 20
"""At one rule."""
GIVEN_MAX: Final = 100
"""Values in one test."""
TEXT_LENGTH_MAX: Final = 500
_FIELDS: Final = frozenset({"given", "hits", "verdict"})
_INT_MAX: Final = 2**63 - 1


def read_example(given: object, path: str, problems: Problems) -> Example | None:
    """One test; what is wrong with it is noted.  It says whether the rule hits, what the set says, or both."""
    if not isinstance(given, dict):
        problems.note(path, 'a test is an object such as {"given": {"payment.amount": 100}, "hits": true}')
        return None
    reader = ObjectReader(given, path, problems)
    reader.refuse_unknown(_FIELDS)
    values = _given(reader, problems)
    hits = None if reader.value("hits") is None else reader.flag("hits", default=True)
    verdict = _verdict(reader, problems)
    if reader.value("hits") is None and reader.value("verdict") is None:
        problems.note(path, "says neither “hits” nor “verdict”: it would test nothing")
    return Example(values, hits, verdict)


def _verdict(reader: ObjectReader, problems: Problems) -> Verdict | None:
    value = reader.value("verdict")
    if value is None:
        return None
    if isinstance(value, str) and value in list(Verdict):
        return Verdict(value)
    problems.note(reader.at("verdict"), f"is one of {', '.join(Verdict)}, or null where it does not matter")
    return None


def _given(reader: ObjectReader, problems: Problems) -> Mapping[str, Value]:
    path = reader.at("given")
    given = reader.value("given")
    if not isinstance(given, dict) or len(given) > GIVEN_MAX:
        problems.note(path, f"is an object of at most {GIVEN_MAX} values, by the names of fields and calls")
        return {}
    values: dict[str, Value] = {}
    for name, value in given.items():
        looked_up = _looked_up(name)
        place = f"{path}.{shown(name)}"
        if looked_up is None:
            hint = (
                closest(name, FIELDS.fields) or "a call is written as in the condition: velocity('count', 'ip', '1h')"
            )
            problems.add(Problem(place, "there is no such field or call", hint=hint))
        elif value is not None:
            converted = _value(looked_up.type, value)
            if converted is None:
                problems.note(place, f"takes {_SAID[looked_up.type]}, or null")
            else:
                values[looked_up.name] = converted
    return values


@lru_cache(4_096)
def _looked_up(name: str) -> FieldValue | None:
    """What a name stands for, a field or a call however it is written; None where it is neither."""
    field = FIELDS.fields.get(name)
    if field is not None:
        return FieldValue(field.type, field.name)
    if "(" not in name:
        return None
    try:
        tree = check(f"known({name})", FIELDS).tree
    except ExpressionError:
        return None
    found = [node for node in nodes_of(tree) if isinstance(node, FieldValue)]
    return found[0] if len(found) == 1 else None


_SAID: Final = {
    FieldType.INT: "a whole number",
    FieldType.DOUBLE: "a number",
    FieldType.STRING: "a text",
    FieldType.BOOL: "true or false",
    FieldType.STRING_LIST: "a list of texts",
}


def _value(wanted: FieldType, value: Any) -> Value | None:
    """The value as its type has it; None where it is none of it."""
    match wanted:
        case FieldType.INT:
            return value if type(value) is int and -_INT_MAX - 1 <= value <= _INT_MAX else None
        case FieldType.DOUBLE:
            return float(value) if type(value) in (int, float) and abs(value) <= _INT_MAX else None
        case FieldType.BOOL:
            return value if isinstance(value, bool) else None
        case FieldType.STRING:
            return value if _is_text(value) else None
        case FieldType.STRING_LIST:
            return tuple(value) if isinstance(value, list) and all(map(_is_text, value)) else None


def _is_text(value: object) -> bool:
    """PostgreSQL's JSON has no NUL."""
    return isinstance(value, str) and len(value) <= TEXT_LENGTH_MAX and "\0" not in value
