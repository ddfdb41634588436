"""One call of the API as a value, and how its path, query and body are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

Result = TypeVar("Result")
Moment: TypeAlias = datetime | str
"""A time with its zone, as a datetime or in RFC 3339."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One request: `target` is the path with its query, `body` what is sent, `wait_s` the till's patience.

    A call that is not `repeatable` makes something new each time: it is not sent again where it may have arrived.  With
    an `idempotency_key` it makes it once.
    """

    method: str
    target: str
    body: bytes = b""
    wait_s: int | None = None
    repeatable: bool = True
    idempotency_key: str | None = None

    def after(self, item_id: str) -> Call[Result]:
        """The same list from behind that item."""
        path, _, query = self.target.partition("?")
        return replace(self, target=target(path, **dict(parse_qsl(query)) | {"starting_after": item_id}))


def json_body(fields: Mapping[str, Any]) -> bytes:
    """The fields that are set; the same call gives the same bytes."""
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def target(path: str, **query: str | int | None) -> str:
    """The path with the parameters that are set."""
    wanted = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(wanted)}" if wanted else path


def part(identifier: str) -> str:
    """An id as one part of a path, whatever it holds."""
    return quote(identifier, safe="")


def moment(value: Moment | None) -> str | None:
    """A time as the API takes it.  Raises ValueError for a datetime without a zone."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs its zone, such as datetime.now(UTC)")
        return value.isoformat()
    return value
