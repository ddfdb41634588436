"""Successes and faults of one cell, decayed by time, and the Beta posterior that follows from them.

Two windows: a fast one (some tens of seconds), and a slow one (minutes) that is the prior of the fast one, so that a
route that was bad does not look perfect after a pause.  The prior of the slow one is a fixed success at a fixed weight.
What is still in the fast window is left out of its own prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from routing.health.settings import HealthSettings

NEGLIGIBLE: float = 0.01
"""Less than that many payments is no evidence."""


@dataclass(slots=True)
class Counts:
    """Decayed numbers of payments."""

    ok: float = 0.0
    fault: float = 0.0
    ok_slow: float = 0.0
    fault_slow: float = 0.0

    def decay(self, fast: float, slow: float) -> None:
        """Multiply each window by its factor."""
        self.ok *= fast
        self.fault *= fast
        self.ok_slow *= slow
        self.fault_slow *= slow

    def add(self, other: Counts, fast: float = 1.0, slow: float = 1.0) -> None:
        """Add others' counts, decayed by the factors."""
        self.ok += other.ok * fast
        self.fault += other.fault * fast
        self.ok_slow += other.ok_slow * slow
        self.fault_slow += other.fault_slow * slow

    @property
    def is_negligible(self) -> bool:
        """Whether nothing worth keeping is left."""
        return self.ok_slow + self.fault_slow < NEGLIGIBLE


class Evidence:
    """What this process saw (`own`) and what the others told (`peers`)."""

    __slots__ = ("_older_max", "_older_share", "_prior_ok", "_prior_weight", "_run", "_run_slow", "own", "peers")

    def __init__(self, settings: HealthSettings) -> None:
        self._prior_weight = settings.prior_weight
        self._prior_ok = settings.prior_success * settings.prior_weight
        self._older_share = settings.older_share
        self._older_max = settings.older_max
        self.own = Counts()
        self.peers = Counts()
        self._run = 0.0
        self._run_slow = 0.0

    def ok(self) -> None:
        """One payment that the account took as a healthy one does."""
        self.own.ok += 1.0
        self.own.ok_slow += 1.0

    def fault(self) -> None:
        """One that it did not."""
        self.own.fault += 1.0
        self.own.fault_slow += 1.0
        self._run += 1.0
        self._run_slow += 1.0

    def decay(self, fast: float, slow: float) -> None:
        """Multiply each window by its factor."""
        self.own.decay(fast, slow)
        self.peers.decay(fast, slow)
        self._run *= fast
        self._run_slow *= slow

    def posterior(self) -> tuple[float, float, float]:
        """Mean, standard deviation, and the weight of the evidence in payments."""
        own, peers, weight = self.own, self.peers, self._prior_weight
        ok = own.ok + peers.ok
        fault = own.fault + peers.fault
        older_ok = own.ok_slow + peers.ok_slow - ok
        older_fault = own.fault_slow + peers.fault_slow - fault
        older = older_ok + older_fault
        prior = (older_ok + self._prior_ok) / (older + weight)
        weight += min(self._older_max, self._older_share * older)
        seen = ok + fault
        total = seen + weight
        mean = (ok + prior * weight) / total
        return mean, math.sqrt(mean * (1.0 - mean) / (total + 1.0)), seen

    def looks_well(self) -> None:
        """Its faults so far are no part of an outage."""
        self._run = self._run_slow = 0.0

    def outage_ended(self, *, forgiven: bool) -> None:
        """The breaker has closed; an outage that is forgiven leaves none of the faults since it looked well."""
        if forgiven:
            self.own.fault = max(0.0, self.own.fault - self._run)
            self.own.fault_slow = max(0.0, self.own.fault_slow - self._run_slow)
        self.looks_well()

    @property
    def is_negligible(self) -> bool:
        """Whether the prior alone would say the same."""
        return self.own.is_negligible and self.peers.is_negligible
