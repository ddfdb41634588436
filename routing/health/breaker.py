"""A circuit breaker: Page's CUSUM opens it, an answered query half-opens it, a few real payments close it.

CLOSED sums log-likelihood ratios of "down" against "browned out", never below zero (E. S. Page, "Continuous inspection
schemes", Biometrika 41, 1954): failures in a row open it, while an account that loses a third of its payments is left
to its score.  There are two sums: of what this process saw, so that one that is cut off from the channel knows it, and
of what all processes saw, so that few payments in each are enough.  OPEN lasts at least `open_s`, and until the account
gave a sign of life.  HALF_OPEN lets one payment through, and others once that one did well; the first failure opens it
again, for longer.
"""

from __future__ import annotations

import math
from collections import deque

from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState


class Breaker:
    """Of one cell.  Times are readings of the caller's clock.

    `epoch` rises with each opening: what began before is of the outage, and says nothing of the time after it.
    """

    __slots__ = (
        "_alive_at",
        "_asked_at",
        "_dead_at",
        "_good_step",
        "_pooled",
        "_probing",
        "_reserved",
        "_settings",
        "_step",
        "_suspicion",
        "_to_open",
        "bads_told",
        "changed_at",
        "epoch",
        "goods",
        "goods_told",
        "is_repeated",
        "level",
        "opened_at",
        "openings",
        "run",
        "state",
    )

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._step = settings.suspicion_of_failure
        self._good_step = settings.suspicion_of_success
        self._to_open = settings.suspicion_to_open
        self.state = BreakerState.CLOSED
        self.changed_at = -math.inf
        self.opened_at = -math.inf
        self.epoch = 0
        self.level = 0
        self.is_repeated = False
        """Whether the present or last outage began soon after another one."""
        self.openings = 0
        self.run = 0
        """Failures since the account last looked well, while it is closed."""
        self.goods = 0
        self.goods_told = 0
        """All that went well while it was closed; others are told, as of `bads_told`."""
        self.bads_told = 0
        self._suspicion = 0.0
        self._pooled = 0.0
        self._alive_at = -math.inf
        self._asked_at = -math.inf
        self._dead_at = -math.inf
        self._probing = 0
        self._reserved: deque[float] = deque()

    @property
    def open_s(self) -> float:
        """How long it stays open at least."""
        settings = self._settings
        return min(settings.open_s_max, settings.open_s_min * 2.0**self.level)

    @property
    def probes_free(self) -> int:
        """How many more payments may try it now."""
        if self.state is not BreakerState.HALF_OPEN:
            return 0
        at_once = self._settings.probes_max if self.goods else 1
        return max(0, at_once - self._probing - len(self._reserved))

    # What happens to calls

    def reserve(self, now: float) -> bool:
        """Keep a place for a payment that is about to probe; False where none is free."""
        if self.probes_free == 0:
            return False
        self._reserved.append(now + self._settings.reservation_s)
        return True

    def begin(self) -> bool:
        """A call begins; whether it is a probe."""
        if self.state is not BreakerState.HALF_OPEN:
            return False
        if self._reserved:
            self._reserved.popleft()
        self._probing += 1
        return True

    def probe_ended(self) -> None:
        """A probe of this epoch has ended, however it did."""
        self._probing = max(0, self._probing - 1)

    def good(self, now: float) -> bool:
        """An answer as of a healthy account; whether it closed the breaker."""
        if self.state is BreakerState.CLOSED:
            self.goods_told += 1
            self._pooled = max(0.0, self._pooled + self._good_step)
            if self.run:
                self._suspicion = max(0.0, self._suspicion + self._good_step)
                if self._suspicion == 0.0:
                    self.run = 0
            return False
        if self.state is BreakerState.HALF_OPEN:
            self.goods += 1
            if self.goods >= self._settings.probes_to_close:
                self.close(now)
                return True
            return False
        self.alive(now)
        return False

    def bad(self, now: float) -> bool:
        """A failure; whether it opened the breaker."""
        if self.state is BreakerState.OPEN:
            return False
        if self.state is BreakerState.CLOSED:
            self.bads_told += 1
            self.run += 1
            self._suspicion += self._step
            self._pooled += self._step
            if max(self._suspicion, self._pooled) < self._to_open:
                return False
        self.open(now)
        return True

    def hear(self, goods: int, bads: int, now: float) -> bool:
        """So much went well and failed at other processes meanwhile; whether it opened the breaker."""
        if self.state is not BreakerState.CLOSED:
            return False
        self._pooled = max(0.0, self._pooled + goods * self._good_step + bads * self._step)
        if self._pooled < self._to_open:
            return False
        self.open(now)
        return True

    # What is known besides

    def alive(self, now: float) -> None:
        """The account answered a query."""
        self._alive_at = self._asked_at = now

    def dead(self, now: float) -> None:
        """It did not."""
        self._dead_at = self._asked_at = now

    def asked(self, now: float) -> None:
        """It is being asked, here or by another process."""
        self._asked_at = now

    def tick(self, now: float) -> None:
        """Let time pass: reservations lapse, an open breaker half-opens after a sign of life."""
        while self._reserved and self._reserved[0] <= now:
            self._reserved.popleft()
        if self.state is BreakerState.OPEN and now >= self.changed_at + self.open_s and self._may_half_open(now):
            self.half_open(now)

    def _may_half_open(self, now: float) -> bool:
        settings = self._settings
        if max(self._asked_at, self.changed_at) < now - settings.prober_silent_s:
            return True
        return self._alive_at >= max(self._dead_at, self.changed_at, now - settings.sign_of_life_s)

    # Changes of state; `at` may lie in the past where another process was first

    def open(self, at: float) -> None:
        """Let nothing through."""
        was_closed = self.state is BreakerState.CLOSED
        if was_closed:
            self.is_repeated = at < self.changed_at + self._settings.calm_s
        self.level = self.level + 1 if self.is_repeated or not was_closed else 0
        self.state, self.changed_at, self.opened_at = BreakerState.OPEN, at, at
        self.epoch += 1
        self.openings += was_closed
        self._forget()

    def half_open(self, at: float) -> None:
        """Let a probe through."""
        self.state, self.changed_at = BreakerState.HALF_OPEN, at
        self._forget()

    def close(self, at: float) -> None:
        """Let everything through."""
        self.state, self.changed_at = BreakerState.CLOSED, at
        self.run = 0
        self._forget()

    def _forget(self) -> None:
        self.goods = 0
        self._suspicion = self._pooled = 0.0
        self._probing = 0
        self._reserved.clear()
