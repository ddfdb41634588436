"""The OpenAPI document as a judge: which calls there are, and whether an answer is one that it promises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from tests.support.json_schema import Json, misfits
from tests.support.till import error_of

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_PLACE: Final = re.compile(r"\{(\w+)\}")


class Operation:
    """One method of one path."""

    def __init__(self, method: str, path: str, spec: Json, document: Json) -> None:
        self.method = method
        self.path = path
        self.spec = spec
        self._document = document

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_admin(self) -> bool:
        """Whether it wants the admin token."""
        return self.path.startswith("/admin/")

    @property
    def is_public(self) -> bool:
        """Whether it wants no key."""
        return not self.spec.get("security")

    @property
    def body(self) -> Json | None:
        """The schema of its JSON body, None where it takes none."""
        content = self.spec.get("requestBody", {}).get("content", {})
        found: Json | None = content.get("application/json", {}).get("schema")
        return found

    def parameters(self, place: str) -> list[str]:
        """The names of its parameters in the path, the query or the header."""
        return [one["name"] for one in self.spec.get("parameters", ()) if one["in"] == place]

    def at(self, values: Mapping[str, str]) -> str:
        """The path with its parameters filled in."""
        return _PLACE.sub(lambda found: values[found[1]], self.path)

    def judge(self, answer: httpx.Response) -> httpx.Response:
        """The answer, if the document promises it: status, kind of content, and its shape.  Never a 5xx."""
        about = f"{self}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500, about
        promised = self.spec["responses"].get(str(answer.status_code))
        assert promised is not None, f"{about} is not documented"
        assert answer.headers["request-id"], about
        content = promised.get("content", {})
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert (kind in content) if (content and answer.content) else (not content or kind == ""), (
            f"{about} is {kind or 'nothing'}, documented are {', '.join(content) or 'none'}"
        )
        if kind == "application/json" and content:
            wrong = misfits(json.loads(answer.content), content[kind].get("schema", {}), self._document)
            assert not wrong, f"{about}: {wrong}"
        return answer


def operations(document: Json) -> Iterator[Operation]:
    """All that the document has."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield Operation(method.upper(), path, item[method], document)


def refusal_of(answer: httpx.Response) -> dict[str, Any] | None:
    """The error in an answer that is one, in the one shape; a 400 names what is wrong.  None for pages."""
    assert answer.is_client_error
    if answer.headers.get("content-type", "").startswith("text/html"):
        return None
    error = error_of(answer, answer.status_code)
    assert error["param"] or answer.status_code != 400, error
    return error
