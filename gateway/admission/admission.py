"""Admits new payments or refuses them: by what this process can begin, by merchants' fair shares, by their quotas.

A payment is *beginning* from its admission until its intent is durable: that is our own work, and the adaptive limit
bounds it.  It is *in flight* until it is answered: most of that is the channel's time, and only the hard top and the
merchant's quota bound it.  A full process refuses first whoever has his fair share already: one merchant's storm leaves
the others their places.  Whatever completes something is not counted here at all (gateway/http/admission.py).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from gateway.admission.bucket import TokenBucket
from gateway.admission.limit import AdaptiveLimit, Bounds
from gateway.kernel.errors import RateLimited, Unavailable
from gateway.kernel.metrics import REFUSED
from gateway.merchants.quota import NO_QUOTA, Quota
from gateway.merchants.store import Merchant
from gateway.settings import Settings

UNPROVEN: Final = "?"
"""Stands before the name (of the merchant that it says it is of, if any) under which a request counts until we know."""


class Refusal(StrEnum):
    """Why a request was refused before any work: the closed set of `mashang_refused_total{reason}`."""

    IN_FLIGHT = "payments_in_flight"
    """The hard top of the process."""
    BEGINNING = "beginning"
    """The process begins as much as it can."""
    SHARE = "merchant_share"
    """The same, and the merchant has his fair share already."""
    RATE = "merchant_rate"
    CONCURRENCY = "merchant_concurrency"
    OFFERING = "offering"
    """A quote, a coupon or a code was asked for while payments were refused."""
    COMPLETING = "completing"
    """Too much else is under way."""
    NOT_BEGUN = "not_begun"
    """The till's time was over, or the till had gone, before anything was bound."""

    @property
    def is_quota(self) -> bool:
        """Whether it is the merchant's own limit (429) and not the process's (503)."""
        return self in {Refusal.RATE, Refusal.CONCURRENCY}


class Standing:
    """One merchant here: what it has under way, its bucket, and its part of its quota."""

    __slots__ = (
        "beginning",
        "bucket",
        "epoch",
        "fraction",
        "in_flight",
        "in_flight_max",
        "offered",
        "quota",
        "rate",
        "weight",
    )

    def __init__(self) -> None:
        self.beginning = 0
        self.in_flight = 0
        self.offered = 0
        """Payments asked for since the last exchange with the other processes."""
        self.weight = 0.0
        self.epoch = -1
        self.fraction = 1.0
        """This process's part of the quota (sharing.py)."""
        self.quota: Quota | None = None
        """The merchant's own, as it was last seen."""
        self.rate = 0
        """Payments a second over all processes; 0 where there is no limit."""
        self.bucket: TokenBucket | None = None
        self.in_flight_max: int | None = None

    def is_as_new(self, now: float) -> bool:
        """Whether nothing would be lost by forgetting it: nothing under way, and no token spent."""
        return self.in_flight == 0 and (self.bucket is None or self.bucket.full_s(now) == 0)

    def follow(self, quota: Quota, default: Quota, now: float) -> None:
        """Go by a merchant's quota from now on (the default's where it has none), and by our part of it."""
        self.quota, quota = quota, quota.over(default)
        limit, rate = quota.payments_in_flight_max, quota.payments_per_s
        self.in_flight_max = None if limit is None else max(1, math.ceil(limit * self.fraction))
        self.rate = rate or 0
        if rate is None:
            self.bucket = None
            return
        per_s, burst = rate * self.fraction, max(1.0, (quota.payments_burst or rate) * self.fraction)
        if self.bucket is None:
            self.bucket = TokenBucket(per_s, burst, now)
        else:
            self.bucket.resize(per_s, burst, now)


class Ticket:
    """A payment that was admitted.  Closed when it is answered; each of the steps may come twice or not at all."""

    __slots__ = ("_admission", "_began", "_is_beginning", "_others", "connection", "joins_only", "name", "standing")

    def __init__(self, admission: Admission, name: str, standing: Standing, others: int, *, joins_only: bool) -> None:
        self._admission = admission
        self._began = time.monotonic()
        self._others = others
        self._is_beginning = not joins_only
        self.name = name
        self.standing = standing
        self.joins_only = joins_only
        """Let in only because it repeats a payment in flight: it must not begin one."""
        self.connection: Any = None
        """Where its caller is, as far as the server tells: something that is `disconnected` once he has gone."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return getattr(self.connection, "disconnected", False)

    def identify(self, merchant: Merchant) -> None:
        """Whose it is has been proved.  Raises RateLimited or Unavailable where that one may not begin another."""
        if self.name != merchant.id:
            self._admission.move(self, merchant)

    def bound(self) -> None:
        """The intent is durable; what comes now is the channel's time."""
        if self._is_beginning:
            self._admission.limit.observe(time.monotonic() - self._began, self._others)
            self.aside()

    def aside(self) -> None:
        """It only waits for somebody else from here on: that is no work of ours, and no measure of it."""
        if self._is_beginning:
            self._is_beginning = False
            self.standing.beginning -= 1
            self._admission.beginning -= 1

    def body_came(self) -> None:
        """What was set aside while its till was still sending begins now.  Raises Unavailable without room for it."""
        if not (self.joins_only or self._is_beginning):
            self._others = self._admission.begin_late(self)
            self._began = time.monotonic()
            self._is_beginning = True

    def close(self) -> None:
        """It is answered."""
        self.connection = None
        self.aside()
        self.standing.in_flight -= 1
        self._admission.in_flight -= 1

    def moved_to(self, name: str, standing: Standing) -> None:
        """Count it under another name."""
        for holder, sign in ((self.standing, -1), (standing, 1)):
            holder.in_flight += sign
            holder.beginning += sign if self._is_beginning else 0
        self.name, self.standing = name, standing


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a process carries: payments beginning (learned), payments in flight and other requests (fixed)."""

    beginning: Bounds
    in_flight_max: int
    completing_max: int
    quota: Quota = NO_QUOTA

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings have it."""
        top = settings.payments_in_flight_max
        highest = min(settings.admission_beginning_max, top)
        lowest = min(settings.admission_beginning_min, highest)
        default = Quota(
            settings.merchant_payments_per_s, settings.merchant_payments_burst, settings.merchant_payments_in_flight_max
        )
        target_s = settings.admission_own_time_ms / 1000
        bounds = Bounds(lowest, highest, settings.admission_beginning_first, target_s)
        return cls(bounds, top, settings.completing_in_flight_max, default)


class Admission:
    """One per process."""

    def __init__(self, capacity: Capacity) -> None:
        self.limit = AdaptiveLimit(capacity.beginning)
        self.standings: dict[str, Standing] = {}
        self.beginning = 0
        self.in_flight = 0
        self.peak = 0
        """The most that were beginning at once since the limit moved last."""
        self.completing = 0
        self._capacity = capacity
        self._epoch = 0
        self._told = 0
        self._active_now, self._active_before = 0, 0

    @property
    def is_full(self) -> bool:
        """Whether new payments are refused, some merchants' at least."""
        return self.beginning >= self.limit.value or self.in_flight >= self._capacity.in_flight_max

    @property
    def active(self) -> int:
        """Merchants that asked for payments lately."""
        return max(1, self._active_now, self._active_before)

    def admit(self, name: str, merchant: Merchant | None, now: float) -> Ticket | Refusal:
        """A place for a new payment, counted under `name`: a merchant's id where that is known for sure.

        `merchant` is None where it is not; its quota is then looked at as soon as it is (Ticket.identify).
        """
        standing = self._standing(name)
        refusal = self._refusal_by_top(name, standing) or self._refusal_by_limit(name, standing)
        if refusal is None and merchant is not None:
            refusal = self._refusal_by_quota(standing, merchant, now)
        if refusal is not None:
            return refusal
        ticket = Ticket(self, name, standing, self.beginning, joins_only=False)
        standing.in_flight += 1
        self.in_flight += 1
        self._count_beginning(standing)
        return ticket

    def join(self, name: str) -> Ticket | None:
        """A place for a repetition of a payment in flight: it waits for that one and begins nothing.

        None where the process has no room for one more request that waits, or this merchant has its share of them.
        """
        standing = self._standing(name)
        if self._refusal_by_top(name, standing) is not None:
            return None
        standing.in_flight += 1
        self.in_flight += 1
        return Ticket(self, name, standing, self.beginning, joins_only=True)

    def begin_late(self, ticket: Ticket) -> int:
        """A payment whose body has come only now; how many are beginning besides.  Raises Unavailable."""
        standing = ticket.standing
        refusal = self._refusal_by_limit(ticket.name, standing)
        if refusal is not None:
            if standing.bucket is not None:
                standing.bucket.give_back()
            REFUSED.labels(refusal.value).inc()
            raise error_of(refusal, self.retry_after_s(refusal, standing, time.monotonic()))
        self._count_beginning(standing)
        return self.beginning - 1

    def move(self, ticket: Ticket, merchant: Merchant) -> None:
        """A ticket's merchant is known now.  Raises RateLimited or Unavailable where its quota is used up."""
        standing, now = self._standing(merchant.id), time.monotonic()
        refusal = None if ticket.joins_only else self._refusal_by_quota(standing, merchant, now)
        ticket.moved_to(merchant.id, standing)
        if refusal is not None:
            REFUSED.labels(refusal.value).inc()
            raise error_of(refusal, self.retry_after_s(refusal, standing, now))

    def retry_after_s(self, refusal: Refusal, standing: Standing | None, now: float) -> int:
        """Seconds after which coming again can help; those that the process refuses come again one after another."""
        if refusal is Refusal.RATE and standing is not None and standing.bucket is not None:
            return standing.bucket.next_s(now)
        if refusal.is_quota:
            return 1
        self._told = self._told % _RETRY_S_MAX + 1
        return self._told

    def begin_completing(self) -> bool:
        """A place for any other request, given back by counting `completing` down; False where there is none."""
        if self.completing >= self._capacity.completing_max:
            return False
        self.completing += 1
        return True

    def divide(self, standing: Standing, fraction: float, now: float) -> None:
        """This process's part of a merchant's quota is that much now."""
        standing.fraction = fraction
        if standing.quota is not None:
            standing.follow(standing.quota, self._capacity.quota, now)

    def turn(self, now: float) -> None:
        """Half a second has passed: merchants that do not come for two turns are active no more, and soon forgotten."""
        self._epoch += 1
        self._active_before, self._active_now = self._active_now, 0
        last = self._epoch - _KEPT_TURNS
        idle = [name for name, one in self.standings.items() if one.epoch < last and one.is_as_new(now)]
        for name in idle:
            del self.standings[name]

    def _count_beginning(self, standing: Standing) -> None:
        standing.beginning += 1
        self.beginning += 1
        self.peak = max(self.peak, self.beginning)

    def _refusal_by_top(self, name: str, standing: Standing) -> Refusal | None:
        """The hard top; above three quarters of it nobody gets more than his share."""
        top = self._capacity.in_flight_max
        if self.in_flight >= top:
            return Refusal.IN_FLIGHT
        if self.in_flight < top - top // 4:
            return None
        proven = self._proven(name)
        held = standing.in_flight + (0 if proven is None else proven.in_flight)
        return Refusal.SHARE if self._has_share(held, top) else None

    def _refusal_by_limit(self, name: str, standing: Standing) -> Refusal | None:
        """The adaptive limit; those that have not their share yet are let in a little beyond it."""
        limit = self.limit.value
        if self.beginning < limit:
            return None
        proven = self._proven(name)
        if self._has_share(standing.beginning + (0 if proven is None else proven.beginning), limit):
            return Refusal.SHARE if self.active > 1 else Refusal.BEGINNING
        return Refusal.BEGINNING if self.beginning >= limit + max(4, limit // 4) else None

    def _proven(self, name: str) -> Standing | None:
        """What the merchant that a signature is said to be of has here beside it; None for any other name."""
        return self.standings.get(name.removeprefix(UNPROVEN)) if name.startswith(UNPROVEN) else None

    def _has_share(self, held: int, limit: int) -> bool:
        """Whether a merchant has as much as each would have if all had the same."""
        return held >= max(1, limit // self.active)

    def _refusal_by_quota(self, standing: Standing, merchant: Merchant, now: float) -> Refusal | None:
        """The merchant's own limits; takes a token where there is one."""
        if standing.quota is not merchant.quota:
            standing.follow(merchant.quota, self._capacity.quota, now)
        if standing.in_flight_max is not None and standing.in_flight >= standing.in_flight_max:
            return Refusal.CONCURRENCY
        if standing.bucket is not None and not standing.bucket.take(now):
            return Refusal.RATE
        return None

    def _standing(self, name: str) -> Standing:
        standing = self.standings.get(name)
        if standing is None:
            standing = self.standings[name] = Standing()
        standing.offered += 1
        if standing.epoch != self._epoch:
            standing.epoch = self._epoch
            self._active_now += not name.startswith(UNPROVEN)  # nobody is made one of many by naming others
        return standing


_KEPT_TURNS: Final = 20
_RETRY_S_MAX: Final = 3
_MESSAGES: Final = {
    Refusal.RATE: ("merchant_rate", "This merchant begins more payments a second than it may: send it again later."),
    Refusal.CONCURRENCY: ("merchant_concurrency", "This merchant has as many payments in flight as it may."),
}
_BUSY: Final = "The gateway is busy, and nothing was begun. Send the same request again: it is safe."


def error_of(refusal: Refusal, retry_after_s: int) -> RateLimited | Unavailable:
    """What the caller is told."""
    if refusal in _MESSAGES:
        return RateLimited(*_MESSAGES[refusal], retry_after_s=retry_after_s)
    return Unavailable("busy", _BUSY, retry_after_s=retry_after_s)
