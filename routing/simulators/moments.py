"""Beijing times as the channels write and read them, remembered for the second: under load thousands share one."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from gateway.kernel.clock import BEIJING


@lru_cache(256)
def beijing_text(at_s: int, layout: str) -> str:
    """A second since 1970 in a strftime layout."""
    return datetime.fromtimestamp(at_s, BEIJING).strftime(layout)


@lru_cache(256)
def read_beijing(text: str, layout: str) -> float | None:
    """Seconds since 1970 of a Beijing time in a strptime layout; None where it is none."""
    try:
        return datetime.strptime(text, layout).replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None


def within(text: str, layout: str, *, of_s: float, seconds: float) -> bool:
    """Whether a Beijing time lies that close to a moment."""
    moment = read_beijing(text, layout)
    return moment is not None and abs(moment - of_s) <= seconds
