"""How many calls an account may have under way in this process: many while it answers as fast as ever, else fewer.

A channel that turns slow would take all of the gateway with it: at 100 payments/s answers after 8 s instead of 0.3 s
mean 800 calls under way instead of 30.  The gradient is that of latency against its own long-term mean, as in Netflix's
concurrency limits; unlike there the load is not ours to slow down, so what does not fit goes to another account.  An
account that is not slow is bounded by the transport (channels.slots), where calls wait a moment for their turn.
"""

from __future__ import annotations

from routing.health.settings import HealthSettings
from routing.health.standing import Standing

_FAST_HALF_LIFE_S = 1.0
_SLOW_HALF_LIFE_S = 120.0
_FEW = 3.0
"""Answers of late, before their latency is: a single slow one is no sign."""
_NEEDED = 20.0
"""Answers, before a usual latency is spoken of."""


class Lane:
    """Of one account."""

    __slots__ = (
        "_answered",
        "_count",
        "_fast_count",
        "_fast_sum",
        "_limit",
        "_seconds",
        "_settings",
        "_slow_s",
        "in_flight",
        "in_flight_max",
        "standings",
    )

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._limit = float(settings.calls_max)
        self.in_flight = 0
        self.in_flight_max = settings.calls_max
        self.standings: list[Standing] = []
        """Those of the account's cells."""
        self._count = 0
        self._seconds = 0.0
        self._answered = 0.0
        self._fast_count = 0.0
        self._fast_sum = 0.0
        self._slow_s = 0.0

    def join(self, standing: Standing) -> None:
        """One more cell of the account."""
        standing.in_flight, standing.in_flight_max = self.in_flight, self.in_flight_max
        self.standings.append(standing)

    def begin(self) -> None:
        """A call begins."""
        self.in_flight = in_flight = self.in_flight + 1
        for standing in self.standings:
            standing.in_flight = in_flight

    def end(self) -> None:
        """A call has ended."""
        self.in_flight = in_flight = self.in_flight - 1
        for standing in self.standings:
            standing.in_flight = in_flight

    def took(self, seconds: float) -> None:
        """A call that was made took so long, to its answer or to its timeout."""
        self._count += 1
        self._seconds += seconds

    def tick(self, elapsed_s: float) -> None:
        """Set the limit anew."""
        self._measure(elapsed_s)
        settings, limit, ratio = self._settings, self._limit, self._ratio
        if ratio is None:
            pass
        elif ratio > settings.slow_ratio:
            limit *= max(0.9, settings.slow_ratio / ratio)
        else:
            limit = limit * 1.05 + 1.0
        self._limit = min(float(settings.calls_max), max(float(settings.calls_min), limit))
        self._count, self._seconds = 0, 0.0
        if self.in_flight_max != int(self._limit):
            self.in_flight_max = int(self._limit)
            for standing in self.standings:
                standing.in_flight_max = self.in_flight_max

    @property
    def _ratio(self) -> float | None:
        """How long answers take now, in multiples of the usual; None where too few came to tell."""
        if self._answered < _NEEDED or self._fast_count < _FEW or self._slow_s <= 0.0:
            return None
        return self._fast_sum / self._fast_count / self._slow_s

    def _measure(self, elapsed_s: float) -> None:
        fast = 0.5 ** (elapsed_s / _FAST_HALF_LIFE_S)
        self._fast_count = self._fast_count * fast + self._count
        self._fast_sum = self._fast_sum * fast + self._seconds
        if not self._count:
            return
        mean_s = self._seconds / self._count
        if self._answered < _NEEDED:
            self._slow_s = (self._slow_s * self._answered + self._seconds) / (self._answered + self._count)
        else:
            self._slow_s += (mean_s - self._slow_s) * (1.0 - 0.5 ** (elapsed_s / _SLOW_HALF_LIFE_S))
        self._answered += self._count
