"""A gateway process as a simulation: a server for its own work, a channel that takes none, refusals that cost some.

Times are simulated seconds; nothing here sleeps.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.admission.limit import AdaptiveLimit, Bounds

BOUNDS: Final = Bounds(lowest=16, highest=1024, first=128, target_s=0.1)
_TICK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Town:
    """What arrives (by the second of the run), and what everything takes, in seconds."""

    offered_per_s: Callable[[float], float]
    seconds: float = 16.0
    work_s: Callable[[float], float] = lambda _: 0.0005
    """Of each of the two parts of a payment, before its channel and after; by the second of the run."""
    channel_s: float = 0.075
    commit_s: float = 0.008
    refusal_s: float = 0.00003
    seed: int = 1


@dataclass(slots=True)
class Played:
    """What came of it."""

    completed_at: list[float] = field(default_factory=list)
    own_s: list[tuple[float, float]] = field(default_factory=list)
    limits: list[tuple[float, int]] = field(default_factory=list)
    refused: int = 0

    def completed_per_s(self, since: float, until: float) -> float:
        """Payments completed a second in a part of the run."""
        return sum(since <= at < until for at in self.completed_at) / (until - since)

    def mean_own_s(self, since: float) -> float:
        """Mean time from admission to intent from then on."""
        late = [own_s for at, own_s in self.own_s if at >= since]
        return sum(late) / len(late)


def play(town: Town, limit: AdaptiveLimit | None) -> Played:
    """Run it; without a limit everybody is admitted."""
    return _Run(town, limit).play()


class _Run:
    def __init__(self, town: Town, limit: AdaptiveLimit | None) -> None:
        self._town, self._limit = town, limit
        self._dice = random.Random(town.seed)
        self._events: list[tuple[float, int, str, float, int]] = []
        self._free_at, self._beginning, self._peak, self._count = 0.0, 0, 0, 0
        self._played = Played()

    def play(self) -> Played:
        self._at(self._gap(0.0), "arrival")
        self._at(_TICK_S, "tick")
        while self._events[0][0] < self._town.seconds:
            now, _, kind, began, others = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(now, began, others)
        return self._played

    def _at(self, moment: float, kind: str, began: float = 0.0, others: int = 0) -> None:
        self._count += 1
        heapq.heappush(self._events, (moment, self._count, kind, began, others))

    def _gap(self, now: float) -> float:
        return self._dice.expovariate(self._town.offered_per_s(now))

    def _served(self, now: float, work_s: float) -> float:
        self._free_at = max(self._free_at, now) + work_s
        return self._free_at

    def _arrival(self, now: float, *_: float) -> None:
        self._at(now + self._gap(now), "arrival")
        if self._limit is not None and self._beginning >= self._limit.value:
            self._played.refused += 1
            self._served(now, self._town.refusal_s)
            return
        others, self._beginning = self._beginning, self._beginning + 1
        self._peak = max(self._peak, self._beginning)
        self._at(self._served(now, self._town.work_s(now)) + self._town.commit_s, "intent", now, others)

    def _intent(self, now: float, began: float, others: int) -> None:
        self._beginning -= 1
        self._played.own_s.append((now, now - began))
        if self._limit is not None:
            self._limit.observe(now - began, others)
        self._at(now + self._town.channel_s, "answer")

    def _answer(self, now: float, *_: float) -> None:
        self._at(self._served(now, self._town.work_s(now)), "end")

    def _end(self, now: float, *_: float) -> None:
        self._played.completed_at.append(now)

    def _tick(self, now: float, *_: float) -> None:
        self._at(now + _TICK_S, "tick")
        if self._limit is not None:
            if self._limit.step(now, 0.0, self._peak):
                self._peak = self._beginning
            self._played.limits.append((now, self._limit.value))
