"""The conversation of a driver with its test: one JSON line in (settings, then calls), one JSON line out for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

Calls = Mapping[str, Callable[..., Any]]


def converse(open_client: Callable[[dict[str, Any]], Calls]) -> None:
    """Open the SDK's client with the settings of the first line, then carry out calls until the test hangs up.

    What the SDK raises is an outcome like any other: the test judges it.
    """
    out, sys.stdout = sys.stdout, sys.stderr
    calls: Calls = {}

    def opened(**settings: Any) -> list[str]:
        nonlocal calls
        calls = open_client(settings)
        return sorted(calls)

    for line in sys.stdin:
        asked = json.loads(line)
        carry_out = opened if asked["call"] == "open" else calls[asked["call"]]
        try:
            outcome = {"answer": carry_out(**asked["arguments"])}
        except Exception as error:
            outcome = {"raised": type(error).__name__, "message": str(error)}
        out.write(json.dumps(outcome) + "\n")
        out.flush()
