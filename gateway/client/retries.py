"""What is safe to send again, and when.  Payments and refunds carry numbers of the merchant's: they always are."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import httpx

_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_UNTOLD: Final = frozenset({500, 502, 504})
"""Answers after which it is not known whether the request was carried out."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `tries` sendings, with pauses that double from `pause_s` up to `pause_s_max`, half of them by chance.

    A call is over, with an answer or without, at the latest `margin_s` after the wait that the till asked for.
    """

    tries: int = 4
    pause_s: float = 0.25
    pause_s_max: float = 8.0
    margin_s: float = 5.0

    def next_pause_s(self, sent: int, retry_after_s: float | None = None) -> float | None:
        """Seconds until the next sending after `sent` of them; None when that was the last."""
        if sent >= self.tries:
            return None
        pause = min(self.pause_s_max, self.pause_s * float(2 ** (sent - 1)))
        jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311  not a secret
        return max(jittered, retry_after_s or 0.0)


def worth_another_try(answer: httpx.Response) -> bool:
    """Whether the same request can end otherwise: too busy, away, or a fault."""
    return answer.status_code in _AGAIN or (answer.status_code == 409 and "retry-after" in answer.headers)


def tells_the_outcome(answer: httpx.Response) -> bool:
    """Whether the answer says for certain that the request was, or was not, carried out."""
    return answer.status_code not in _UNTOLD


def retry_after_s(answer: httpx.Response) -> float | None:
    """What the gateway asks to be waited for, in seconds."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None
