"""How a scripted channel answers: by numbers drawn once per payment, so that all strategies meet the same luck."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Final

from routing.simulation.scenario import Does, Phase, Route, Scenario

_REFUSED_AFTER_S: Final = 0.001
_P99: Final = NormalDist().inv_cdf(0.99)


class Answer(StrEnum):
    """How a call ends, in the words that matter to routing."""

    OK = "ok"
    CUSTOMER = "customer"
    FAULT = "fault"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Luck:
    """What chance has in store for one payment: the same whichever route it takes."""

    channel: float
    customer: float
    latency: float
    """A standard normal."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An answer, and after how many seconds it comes."""

    answer: Answer
    after_s: float


class ScriptedChannel:
    """One route through the play."""

    def __init__(self, route: Route, scenario: Scenario) -> None:
        self.route = route
        self._phases = scenario.phases_of(route.id)
        self._customer_failures = scenario.customer_failures
        self._timeout_s = scenario.channel_timeout_s
        self._mu = math.log(route.latency_p50_ms / 1_000)
        self._sigma = math.log(route.latency_p99_ms / route.latency_p50_ms) / _P99

    def phase(self, at_s: float, *which: Does) -> Phase | None:
        """What is in force of these kinds."""
        return next((phase for phase in self._phases if phase.does in which and phase.covers(at_s)), None)

    def success_at(self, at_s: float) -> float:
        """The probability that it does its work for a payment that is sent then; what only the oracle may ask."""
        if self.phase(at_s, Does.REFUSE, Does.ERRORS, Does.BLACK_HOLE, Does.FLAP, Does.ABSENT):
            return 0.0
        browned_out = self.phase(at_s, Does.BROWN_OUT)
        return self.route.success if browned_out is None else browned_out.success

    def fee_rate_at(self, at_s: float) -> int:
        """Millionths."""
        changed = self.phase(at_s, Does.FEE)
        return self.route.fee_rate_millionths if changed is None else changed.fee_rate_millionths

    def is_absent(self, at_s: float) -> bool:
        """Whether the account is disabled then."""
        return self.phase(at_s, Does.ABSENT) is not None

    def answers_queries(self, at_s: float) -> bool:
        """Whether a query that is sent then is answered."""
        down = self.phase(at_s, Does.REFUSE, Does.ERRORS, Does.BLACK_HOLE, Does.FLAP)
        return down is None or down.queries_answered

    def call(self, at_s: float, luck: Luck) -> Ended:
        """A payment that is sent then."""
        if self.phase(at_s, Does.REFUSE):
            return Ended(Answer.UNSENT, _REFUSED_AFTER_S)
        slow = self.phase(at_s, Does.SLOW)
        after_s = math.exp(self._mu + self._sigma * luck.latency) * (1.0 if slow is None else slow.factor)
        swallowed = self.phase(at_s, Does.BLACK_HOLE) or self.phase(at_s + after_s, Does.BLACK_HOLE)
        if swallowed or after_s >= self._timeout_s:
            return Ended(Answer.FAULT, self._timeout_s)
        if luck.channel >= self.success_at(at_s):
            return Ended(Answer.FAULT, after_s)
        return Ended(Answer.CUSTOMER if luck.customer < self._customer_failures else Answer.OK, after_s)


def draw(rng: random.Random) -> Luck:
    """The luck of the next payment."""
    return Luck(rng.random(), rng.random(), rng.gauss(0.0, 1.0))
