"""Customers who come when they come: the moments of Poisson arrivals, and how late each was served (the open model)."""

from __future__ import annotations

import random
from collections.abc import Iterator


def poisson(per_second: float, from_s: float, chooser: random.Random) -> Iterator[float]:
    """Moments whose gaps are exponential, for ever: independent of everything that happens meanwhile; some have passed.

    Streams add up: N of one arrival a second each are one of N a second (superposition of Poisson processes), which is
    how `make load` spreads a rate over processes and machines.
    """
    due_s = from_s
    while True:
        due_s += chooser.expovariate(per_second)
        yield due_s


def late_ms(due_s: float, began_s: float) -> float:
    """How much later than due something began; clocks and timers that fire early make it 0."""
    return max(0.0, (began_s - due_s) * 1000)
