"""Customers who come when they come: Poisson arrivals with due moments, and how late each was served."""

from __future__ import annotations

import random
from typing import Final

LATE_MS: Final = 20.0
"""An arrival that begins later than so is counted late: the generator was behind, not the gateway."""


class Arrivals:
    """The due moments of one stream, whose gaps are exponential: independent of everything that happens meanwhile.

    Streams add up: N of one arrival a second each are one of N a second (superposition of Poisson processes), which
    is how the rate is spread over Locust's processes and machines.
    """

    def __init__(self, per_second: float, from_s: float, chooser: random.Random) -> None:
        self._per_second, self._due_s, self._chooser = per_second, from_s, chooser

    def next_due_s(self) -> float:
        """The next moment, on the clock of `from_s`; it may have passed."""
        self._due_s += self._chooser.expovariate(self._per_second)
        return self._due_s


def late_ms(due_s: float, began_s: float) -> float:
    """How much later than due something began; clocks and timers that fire early make it 0."""
    return max(0.0, (began_s - due_s) * 1000)
