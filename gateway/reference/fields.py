"""Schemas as tables: what a field is called, what it takes, what it means; nested objects are linked, not repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from gateway.reference.operations import JsonObject

_REF: Final = "#/components/schemas/"
_BOUNDS: Final = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "{} characters or more",
    "maxLength": "up to {} characters",
    "minItems": "{} or more",
    "maxItems": "up to {}",
}
_NOT_EMPTY: Final = frozenset({"1 characters or more", "1 or more"})


class Schemas:
    """The components of one document, looked up while a page is written."""

    def __init__(self, document: JsonObject) -> None:
        self._all: dict[str, Any] = document["components"]["schemas"]

    def resolved(self, schema: JsonObject) -> JsonObject:
        """The schema behind a reference, or the schema itself."""
        return self._all[schema["$ref"].removeprefix(_REF)] if "$ref" in schema else schema

    def example(self, schema: JsonObject | None) -> Any:
        """The first example, None where there is none."""
        if schema is None:
            return None
        found = self.resolved(schema).get("examples") or schema.get("examples") or [None]
        return found[0]

    def objects_in(self, schema: JsonObject) -> Iterator[str]:
        """The references to objects that a schema holds, directly; those of enumerations are shown in place."""
        if "$ref" in schema:
            if "properties" in self.resolved(schema):
                yield schema["$ref"]
            return
        parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("properties", {}).values()]
        parts += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
        for part in parts:
            yield from self.objects_in(part)

    def reachable(self, schema: JsonObject) -> Iterator[str]:
        """All objects below a schema, each once, those that are met first first; not the schema itself."""
        seen: set[str] = set()
        waiting = list(self.objects_in(self.resolved(schema)))
        while waiting:
            reference = waiting.pop(0)
            if reference not in seen:
                seen.add(reference)
                yield reference
                waiting += self.objects_in(self.resolved({"$ref": reference}))

    def kind(self, schema: JsonObject) -> str:
        """What a field takes, in Markdown, with its bounds."""
        if "$ref" in schema:
            target = self.resolved(schema)
            return (
                f"[{title(schema['$ref'])}](#{anchor(schema['$ref'])})" if "properties" in target else self.kind(target)
            )
        if "anyOf" in schema or "oneOf" in schema:
            kinds = [self.kind(part) for part in schema.get("anyOf") or schema["oneOf"]]
            return " or ".join(dict.fromkeys(kinds))
        if "const" in schema:
            return f"`{json.dumps(schema['const'])}`"
        if "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema["enum"])
        return self._plain(schema)

    def _plain(self, schema: JsonObject) -> str:
        kind = schema.get("type", "anything")
        if kind == "array":
            kind = f"list of {self.kind(schema.get('items', {}))}"
        elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            kind = f"object of {self.kind(schema['additionalProperties'])} by name"
        elif schema.get("format") == "date-time":
            kind = "time"
        bounds = [text.format(_number(schema[key])) for key, text in _BOUNDS.items() if key in schema]
        bounds = ["not empty" if bound in _NOT_EMPTY else bound for bound in bounds]
        if "pattern" in schema:
            bounds.append(f"`{schema['pattern']}`")
        return ", ".join([kind, *bounds])

    def table(self, schema: JsonObject, *, sent: bool) -> str:
        """The fields of an object as a table; one that is sent also says what is required."""
        found = self.resolved(schema)
        required = set(found.get("required", ()))
        lines = ["| field | takes | |", "|---|---|---|"] if sent else ["| field | is | |", "|---|---|---|"]
        for name, field in found.get("properties", {}).items():
            is_required = sent and name in required
            lines.append(_row(f"`{name}`", self.kind(field), self._told(field, required=is_required)))
        return "\n".join(lines)

    def _told(self, field: JsonObject, *, required: bool) -> str:
        told = str(field.get("description", ""))
        default = field.get("default")
        if default is not None and default not in ("", [], {}):
            told = f"{told} `{json.dumps(default)}` without it.".strip()
        return f"**Required.** {told}".strip() if required else told


def parameter_table(schemas: Schemas, parameters: list[JsonObject]) -> str:
    """Parameters of path, query and header as a table."""
    lines = ["| parameter | takes | |", "|---|---|---|"]
    for parameter in parameters:
        name = parameter["name"] if parameter["in"] != "header" else _header(parameter["name"])
        where = {"path": "in the path", "query": "in the query", "header": "header"}[parameter["in"]]
        told = parameter.get("description", "")
        must = "**Required.** " if parameter["in"] == "query" and parameter.get("required") else ""
        lines.append(_row(f"`{name}`", f"{where}: {schemas.kind(parameter['schema'])}", f"{must}{told}".strip()))
    return "\n".join(lines)


def title(reference: str) -> str:
    """What an object is called on a page: without the module that tells two of one name apart."""
    return reference.removeprefix(_REF).rsplit("__", 1)[-1]


def anchor(reference: str) -> str:
    """Where a page has it, by GitHub's rule for headings."""
    return title(reference).lower()


def _header(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
