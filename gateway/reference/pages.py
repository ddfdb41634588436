"""The pages of docs/api: an index, and for each area its endpoints with fields, a call in two languages, its answer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.reference import samples
from gateway.reference.fields import Schemas, anchor, parameter_table, title
from gateway.reference.operations import AREAS, Area, JsonObject, Operation, operations

_MADE: Final = "<!-- Made by `make docs` from the OpenAPI document: change the code instead. -->\n"
_INDEX: Final = _MADE + "\n" + Path(__file__).with_name("index.md").read_text("utf-8")


def api_pages(document: JsonObject) -> Mapping[str, str]:
    """Name and text of every page."""
    found: dict[Area, list[Operation]] = defaultdict(list)
    for area, operation in operations(document):
        found[area].append(operation)
    pages = {f"{area.name}.md": _page(area, found[area], Schemas(document)) for area in AREAS}
    return {"README.md": _index(found)} | pages


def _index(found: Mapping[Area, list[Operation]]) -> str:
    parts = [_INDEX]
    for area in AREAS:
        parts.append(f"\n**[{area.title}]({area.name}.md)**\n\n| | |\n|---|---|")
        for operation in found[area]:
            called = f"`{operation.method} {operation.path}`"
            parts.append(f"| {called} | [{operation.summary}]({area.name}.md#{heading_anchor(operation.summary)}) |")
    return "\n".join(parts) + "\n"


def heading_anchor(heading: str) -> str:
    """GitHub's anchor of a heading."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def _page(area: Area, found: list[Operation], schemas: Schemas) -> str:
    parts = [f"{_MADE}\n# {area.title}\n\nHow calls are made, and where the keys are: [the API](README.md)."]
    objects: dict[str, None] = {}
    parts.extend(_section(operation, schemas, objects) for operation in found)
    if objects:
        parts.append("## Objects")
    for reference in sorted(objects, key=title):
        described = str(schemas.resolved({"$ref": reference}).get("description", ""))
        parts += [
            f"### {title(reference)}",
            " ".join(described.split()),
            schemas.table({"$ref": reference}, sent=False),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(operation: Operation, schemas: Schemas, objects: dict[str, None]) -> str:
    body = schemas.example(operation.body)
    status, answer = operation.answer()
    parts = [f"## {operation.summary}", f"`{operation.method} {operation.path}`", operation.description.strip()]
    if operation.parameters:
        parts.append(parameter_table(schemas, list(operation.parameters)))
    if operation.body is not None and schemas.resolved(operation.body).get("properties"):
        parts += ["What is sent:", schemas.table(operation.body, sent=True)]
        objects.update(dict.fromkeys(schemas.reachable(operation.body)))
    parts.append(f"```bash\n{samples.curl(operation, body)}\n```")
    if not operation.is_public:
        parts.append(f"```python\n{samples.python(operation, body)}\n```")
    parts.append(_answered(schemas, status, answer))
    if answer is not None:
        if "$ref" in answer:
            objects[answer["$ref"]] = None
        objects.update(dict.fromkeys(schemas.reachable(answer)))
    return "\n\n".join(part for part in parts if part)


def _answered(schemas: Schemas, status: str, answer: JsonObject | None) -> str:
    if answer is None:
        return f"Answers {status}."
    named = f": [{title(answer['$ref'])}](#{anchor(answer['$ref'])})" if "$ref" in answer else "."
    example: Any = schemas.example(answer)
    shown = "" if example is None else f"\n\n```json\n{json.dumps(example, ensure_ascii=False, indent=2)}\n```"
    return f"Answers {status}{named}{shown}"
