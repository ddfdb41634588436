"""Ready examples of campaigns, as JSON: DOMAIN's cases, each to be sent to the admin API with other sponsors."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Of the examples, in order."""
    found = [entry.name.removesuffix(".json") for entry in files(__name__).iterdir() if entry.name.endswith(".json")]
    return tuple(sorted(found))


def example(name: str) -> dict[str, Any]:
    """The document of an example.  Raises KeyError where there is none of that name."""
    if name not in names():
        raise KeyError(name)
    document: dict[str, Any] = orjson.loads((files(__name__) / f"{name}.json").read_bytes())
    return document
