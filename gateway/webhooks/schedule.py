"""When a delivery that failed is tried again: sixteen tries over a day."""

from __future__ import annotations

import random
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE

WAITS_S: Final = (
    5,
    30,
    2 * _MINUTE,
    5 * _MINUTE,
    10 * _MINUTE,
    20 * _MINUTE,
    30 * _MINUTE,
    1 * _HOUR,
    3 * _HOUR // 2,
    2 * _HOUR,
    5 * _HOUR // 2,
    3 * _HOUR,
    4 * _HOUR,
    4 * _HOUR,
    5 * _HOUR,
)
"""Seconds from each try to the next one: a day and seven minutes from the first to the last."""
TRIES_MAX: Final = len(WAITS_S) + 1
_JITTER: Final = 0.1
"""Each wait is up to a tenth shorter or longer, so that what failed together does not come back together."""
RETRY_AFTER_S_MAX: Final = 3_600
"""An endpoint that asks for time (429, 503) gets an hour at most."""


def next_wait_s(tries: int, retry_after_s: int | None = None) -> float | None:
    """Seconds until the next try after so many; None where that was the last one.

    Never sooner than the endpoint itself has asked for.
    """
    if tries >= TRIES_MAX:
        return None
    wait_s = WAITS_S[tries - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  jitter, not a secret
    return max(wait_s, float(min(retry_after_s or 0, RETRY_AFTER_S_MAX)))
