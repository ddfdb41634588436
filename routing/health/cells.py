"""Health of one account for one wallet and method: evidence, latencies, breaker and stalls brought together."""

from __future__ import annotations

import math
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from routing.health.breaker import Breaker
from routing.health.evidence import Evidence
from routing.health.lanes import Lane
from routing.health.latencies import Latencies
from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState, Standing
from routing.health.verdicts import Verdict
from routing.sale import Cell

if TYPE_CHECKING:
    from routing.health.health import Health

_FEW: Final = 3
_WAITING_MAX: Final = 4_096
_GOOD: Final = frozenset({Verdict.OK, Verdict.CUSTOMER})
_ANSWERED: Final = frozenset({Verdict.OK, Verdict.CUSTOMER, Verdict.UNDECIDED})


class Call:
    """One call under way: ends exactly once.

    with health.begin(cell) as call:
        answer = await charging.charge(...)
        call.end(verdict_of(answer))

    A block that is left before (cancelled: the client is gone, a shutdown) ends the call as ABANDONED.
    """

    __slots__ = ("_health", "began", "cell", "epoch", "is_over", "is_probe")

    def __init__(self, health: Health, cell: CellHealth, began: float, *, is_probe: bool) -> None:
        self._health = health
        self.cell = cell
        self.began = began
        self.epoch = cell.breaker.epoch
        self.is_probe = is_probe
        self.is_over = False

    def end(self, verdict: Verdict) -> None:
        """The call has ended; whatever is said after the first time does not count."""
        if not self.is_over:
            self.is_over = True
            self._health.ended(self, verdict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(Verdict.ABANDONED)


class CellHealth:
    """Of one cell.  Whatever changes what the router reads ends in `show`."""

    __slots__ = (
        "_answered_began",
        "_settings",
        "_waiting",
        "breaker",
        "cell",
        "evidence",
        "good_began",
        "good_ended",
        "in_flight",
        "lane",
        "latencies",
        "standing",
    )

    def __init__(self, cell: Cell, lane: Lane, settings: HealthSettings) -> None:
        self.cell = cell
        self.lane = lane
        self._settings = settings
        self.evidence = Evidence(settings)
        self.latencies = Latencies()
        self.breaker = Breaker(settings)
        self.in_flight = 0
        self._waiting: deque[Call] = deque(maxlen=_WAITING_MAX)
        """Calls in the order in which they began; those that are over leave it at the next tick."""
        self._answered_began = -math.inf
        self.good_began = -math.inf
        """When the last call began that went well; `good_ended`: when one last ended well."""
        self.good_ended = -math.inf
        mean, spread, _ = self.evidence.posterior()
        self.standing = Standing(mean, spread, lane.in_flight_max)
        lane.join(self.standing)

    @property
    def is_idle(self) -> bool:
        """Whether time changes nothing here."""
        is_closed = self.breaker.state is BreakerState.CLOSED
        return is_closed and not self.in_flight and self.evidence.is_negligible

    def begin(self, call: Call) -> None:
        """A call begins."""
        self.in_flight += 1
        self.lane.begin()
        self._waiting.append(call)
        if call.is_probe:
            self.standing.probes_free = self.breaker.probes_free

    def end(self, call: Call, verdict: Verdict, now: float) -> None:
        """A call has ended; what began before the last opening says nothing of the time after it."""
        self.in_flight -= 1
        self.lane.end()
        if verdict is not Verdict.ABANDONED and verdict is not Verdict.UNSENT:
            self.lane.took(now - call.began)
        if verdict in _ANSWERED:
            self.latencies.add(now - call.began)
            self._answered_began = max(self._answered_began, call.began)
        if call.epoch == self.breaker.epoch:
            if call.is_probe:
                self.breaker.probe_ended()
            self._learn(call, verdict, now)
        self.show()

    def _learn(self, call: Call, verdict: Verdict, now: float) -> None:
        if verdict in _GOOD:
            self.good_began = max(self.good_began, call.began)
            self.good_ended = now
            self.good(now, counts=verdict is Verdict.OK)
        elif verdict is Verdict.UNDECIDED:
            if call.is_probe:
                self.good(now, counts=False)
        elif verdict is not Verdict.ABANDONED:
            self.bad(now)

    def decide(self, verdict: Verdict, now: float) -> None:
        """How a call that ended UNDECIDED came out; of use to the breaker only while it is closed."""
        is_closed = self.breaker.state is BreakerState.CLOSED
        if verdict in _GOOD:
            if is_closed:
                self.good(now, counts=verdict is Verdict.OK)
            elif verdict is Verdict.OK:
                self.evidence.ok()
        elif verdict is Verdict.FAULT:
            if is_closed:
                self.bad(now)
            else:
                self.evidence.fault()
        self.show()

    def good(self, now: float, *, counts: bool) -> None:
        """Sure sign that it works; `counts` where it is a success too."""
        if counts:
            self.evidence.ok()
        if self.breaker.good(now):
            self.evidence.outage_ended(forgiven=not self.breaker.is_repeated)
        elif not self.breaker.run and self.breaker.state is BreakerState.CLOSED:
            self.evidence.looks_well()

    def bad(self, now: float) -> None:
        """One failure more."""
        self.evidence.fault()
        self.suspect(now)

    def suspect(self, now: float) -> None:
        """A failure somewhere that concerns this cell as well."""
        if self.breaker.bad(now):
            self._waiting.clear()

    def tick(self, now: float, *, is_blind: bool) -> None:
        """Let time pass; a process that slept cannot tell a silent channel from its own sleep."""
        self.breaker.tick(now)
        if self.breaker.state is not BreakerState.OPEN and self._is_stalled(now) and not is_blind:
            self.breaker.open(now)
            self._waiting.clear()
        self.standing.state = self.breaker.state
        self.standing.probes_free = self.breaker.probes_free

    def decay(self, fast: float, slow: float, latency: float) -> None:
        """Multiply the windows by their factors."""
        self.evidence.decay(fast, slow)
        self.latencies.decay(latency)
        if self.latencies.is_changed:
            standing = self.standing
            standing.p50_s, standing.p99_s, standing.p999_s = self.latencies.percentiles()
        self.show()

    def show(self) -> None:
        """Write what the router reads, but for the latencies."""
        standing, breaker = self.standing, self.breaker
        standing.success, standing.spread, standing.weight = self.evidence.posterior()
        standing.state = breaker.state
        standing.probes_free = breaker.probes_free

    def hear(self, goods: int, bads: int, now: float) -> None:
        """So much went well and failed at other processes meanwhile."""
        if self.breaker.hear(goods, bads, now):
            self._waiting.clear()

    def open(self, at: float, level: int) -> None:
        """Another process has found it down then."""
        self.breaker.open(at)
        self.breaker.level = max(self.breaker.level, level)
        self._waiting.clear()
        self.show()

    def close(self, at: float) -> None:
        """Another process has found it well then."""
        self.breaker.close(at)
        self.evidence.outage_ended(forgiven=not self.breaker.is_repeated)
        self.show()

    @property
    def stalled_after_s(self) -> float:
        """A call that waits for longer is a sign of a stall."""
        slowest_s = self.standing.p999_s if math.isfinite(self.standing.p999_s) else 0.0
        if not self.latencies.tells_the_slowest:
            slowest_s = max(slowest_s, self._settings.latency_assumed_s)
        return slowest_s + self._settings.stall_margin_s

    def _is_stalled(self, now: float) -> bool:
        """Whether the oldest call is too old, and nothing that began after it was answered."""
        waiting = self._waiting
        while waiting and (waiting[0].is_over or waiting[0].began <= self._answered_began):
            waiting.popleft()
        if not waiting:
            return False
        too_old_s = now - waiting[0].began - self.stalled_after_s
        return too_old_s > 0.0 and (len(waiting) >= _FEW or too_old_s > self._settings.stall_few_s)
