"""The campaigns that come with the gateway: documents to begin from, by the names of their files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson


def examples() -> Mapping[str, Mapping[str, Any]]:
    """Every document in promotions/examples, by name."""
    found = [each for each in (files("promotions") / "examples").iterdir() if each.name.endswith(".json")]
    return {
        each.name.removesuffix(".json"): orjson.loads(each.read_bytes())
        for each in sorted(found, key=lambda each: each.name)
    }
