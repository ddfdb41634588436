"""The numbers that health goes by, in one place, so that a simulation can try others."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Times in seconds.  What was measured for them stands in docs/decisions/0017-health-and-breaker.md."""

    success_half_life_s: float = 20.0
    slow_half_life_s: float = 300.0
    """Of the slow window, which is the prior of the fast one."""
    latency_half_life_s: float = 120.0
    prior_success: float = 0.97
    prior_weight: float = 20.0
    """In payments: as much as the prior counts in the slow window, and the slow one at least in the fast one."""
    older_share: float = 0.25
    """That part of the slow window counts in the fast one besides, `older_max` payments at most: an account that comes
    back is not written off for its first fault."""
    older_max: float = 1_000.0

    down_success: float = 0.05
    browned_out_success: float = 0.70
    """The two hypotheses of the CUSUM test: an account that is down, and a bad one that is still worth its score."""
    failures_to_open: int = 12
    """So many failures in a row open the breaker; the threshold follows from it."""
    open_s_min: float = 1.0
    open_s_max: float = 5.0
    calm_s: float = 30.0
    """Closed for so long, an account starts anew at `open_s_min`, and its next outage is forgiven when it ends."""
    probes_max: int = 3
    probes_to_close: int = 3
    reservation_s: float = 10.0
    prober_silent_s: float = 5.0
    """An open breaker of which no prober has told anything for so long lets payments probe by itself."""
    sign_of_life_s: float = 3.0
    """An account's answer to a query counts for so long."""
    follow_half_open_s: float = 1.0
    """A process whose peer is half-open lets that one probe alone for so long."""

    good_fresh_s: float = 2.0
    """A process to which an account answered well within so long does not believe another that it is down."""

    stall_margin_s: float = 1.0
    """A call is a sign of a stall once it is older than p99.9 and this."""
    stall_few_s: float = 1.5
    """Where fewer than three calls wait, so much older."""
    latency_assumed_s: float = 2.0
    """What p99.9 is at least taken for while there is too little to tell it."""
    blind_s: float = 0.5
    """A tick that comes so late says that this process slept: no call is called stalled then."""

    calls_min: int = 8
    calls_max: int = 1_024
    slow_ratio: float = 2.0
    """Answers that take so many times as long as usual shrink the number of calls under way."""

    @property
    def suspicion_of_failure(self) -> float:
        """The log-likelihood ratio of one failure, "down" against "browned out"."""
        return math.log((1 - self.down_success) / (1 - self.browned_out_success))

    @property
    def suspicion_of_success(self) -> float:
        """The same of one success; negative."""
        return math.log(self.down_success / self.browned_out_success)

    @property
    def suspicion_to_open(self) -> float:
        """The threshold of the sum."""
        return (self.failures_to_open - 0.5) * self.suspicion_of_failure
