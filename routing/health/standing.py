"""How an account stands for one wallet and method: what the router reads at each choice."""

from __future__ import annotations

import math
from enum import StrEnum


class BreakerState(StrEnum):
    """Of a circuit breaker."""

    CLOSED = "closed"
    """In use."""
    HALF_OPEN = "half_open"
    """A small number of real payments may try it: `Health.reserve_probe`."""
    OPEN = "open"
    """Down: no payment goes there."""


class Standing:
    """One per cell, the same object for ever; `Health` writes it, others only read its attributes.

    `success` is the mean of the posterior that the account answers as a healthy channel does, `spread` its standard
    deviation, `weight` the payments (decayed, over all processes) that it stands on.  Latencies in seconds, infinite
    while nothing is known of them.  `in_flight` and `in_flight_max` are of the whole account in this process: at the
    maximum it takes no more.  `probes_free` is above zero in HALF_OPEN only.
    """

    __slots__ = (
        "in_flight",
        "in_flight_max",
        "p50_s",
        "p99_s",
        "p999_s",
        "probes_free",
        "spread",
        "state",
        "success",
        "weight",
    )

    def __init__(self, success: float, spread: float, in_flight_max: int) -> None:
        self.state = BreakerState.CLOSED
        self.success = success
        self.spread = spread
        self.weight = 0.0
        self.p50_s = math.inf
        self.p99_s = math.inf
        self.p999_s = math.inf
        self.in_flight = 0
        self.in_flight_max = in_flight_max
        self.probes_free = 0
