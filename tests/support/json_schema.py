"""Holds a JSON value against a schema of the OpenAPI document; knows the keywords that are used there, and no others.

`misfits(value, schema, document)` says what does not fit; an object may have no field that its schema does not name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

Json = Mapping[str, Any]

_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
_DESCRIBING: Final = frozenset({"title", "description", "examples", "default", "required", "$defs", "name"})


def misfits(value: Any, schema: Json, document: Json, place: str = "$") -> list[str]:
    """What of the value does not fit, each with its place; empty where it fits."""
    return list(_misfits(value, schema, document, place))


def resolved(schema: Json, document: Json) -> Json:
    """The schema itself where there is a reference to it."""
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _misfits(value: Any, schema: Json, document: Json, place: str) -> Iterator[str]:
    schema = resolved(schema, document)
    for keyword, wanted in schema.items():
        if keyword in _CHECKS:
            if not _CHECKS[keyword](value, wanted):
                yield f"{place}: {value!r:.80} does not fit {keyword} {wanted!r:.80}"
        elif keyword == "anyOf":
            if all(misfits(value, one, document, place) for one in wanted):
                yield f"{place}: {value!r:.80} fits none of {wanted!r:.200}"
        elif keyword not in _PARTS and keyword not in _DESCRIBING:
            raise AssertionError(f"the keyword {keyword} is not known here")
    if isinstance(value, dict):
        yield from _misfits_of_fields(value, schema, document, place)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from _misfits(item, schema["items"], document, f"{place}[{number}]")


def _misfits_of_fields(value: dict[str, Any], schema: Json, document: Json, place: str) -> Iterator[str]:
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}.{name} is missing"
    for name, inner in value.items():
        if "propertyNames" in schema:
            yield from _misfits(name, schema["propertyNames"], document, f"{place} name")
        if properties is not None and name in properties:
            yield from _misfits(inner, properties[name], document, f"{place}.{name}")
        elif isinstance(others, dict):
            yield from _misfits(inner, others, document, f"{place}.{name}")
        elif others is False or (properties is not None and others is None):
            yield f"{place}.{name} is not documented"


def _is_type(value: Any, wanted: Any) -> bool:
    return any(_TYPES[name](value) for name in ([wanted] if isinstance(wanted, str) else wanted))


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        return False


def _of(kinds: type | tuple[type, ...], fits: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """A keyword that concerns values of these kinds only."""
    return lambda value, wanted: not isinstance(value, kinds) or isinstance(value, bool) or fits(value, wanted)


_CHECKS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "type": _is_type,
    "format": lambda value, wanted: wanted != "date-time" or not isinstance(value, str) or _is_time(value),
    "enum": lambda value, wanted: value in wanted,
    "const": lambda value, wanted: value == wanted and type(value) is type(wanted),
    "pattern": _of(str, lambda value, wanted: re.search(wanted, value) is not None),
    "minLength": _of(str, lambda value, wanted: len(value) >= wanted),
    "maxLength": _of(str, lambda value, wanted: len(value) <= wanted),
    "minimum": _of((int, float), lambda value, wanted: value >= wanted),
    "maximum": _of((int, float), lambda value, wanted: value <= wanted),
    "minItems": _of(list, lambda value, wanted: len(value) >= wanted),
    "maxItems": _of(list, lambda value, wanted: len(value) <= wanted),
    "minProperties": _of(dict, lambda value, wanted: len(value) >= wanted),
    "maxProperties": _of(dict, lambda value, wanted: len(value) <= wanted),
}
_PARTS: Final = frozenset({"properties", "additionalProperties", "propertyNames", "items"})
