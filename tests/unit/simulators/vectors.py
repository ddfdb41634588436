"""The golden vectors, read from the project's copy."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "data" / "channel-vectors"


@cache
def golden(channel: str) -> dict[str, Any]:
    """The whole file of one channel."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{channel}.json").read_text("utf-8"))
    return found


def vectors(channel: str, kind: str) -> list[dict[str, Any]]:
    """The vectors of one kind; never none, so that a renamed kind cannot pass unseen."""
    found = [vector for vector in golden(channel)["vectors"] if vector["kind"] == kind]
    assert found, f"no {kind} in {channel}.json"
    return found


def name_of(vector: dict[str, Any]) -> str:
    """The id, for pytest."""
    return str(vector["id"])
