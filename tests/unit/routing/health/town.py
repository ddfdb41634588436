"""A small town on a virtual clock: payments arrive, processes choose between accounts by health, accounts misbehave."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Final

from routing.channels.base import Wallet
from routing.health import notes
from routing.health.health import TICK_S, Health
from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState
from routing.health.verdicts import Verdict
from routing.sale import Cell, Method

TIMEOUT_S: Final = 10.0
QUERY_TIMEOUT_S: Final = 2.0


class Mood(Enum):
    """What an account does at a moment."""

    WELL = auto()
    REFUSES = auto()
    """No connection."""
    ERRS = auto()
    """Charges and queries are answered by errors."""
    ERRS_AT_CHARGES = auto()
    """Queries are answered as ever."""
    SILENT = auto()
    """Takes everything and answers nothing."""
    BROWNED_OUT = auto()
    """70 % go well."""


Moods = Callable[[float], Mood]


def outage(mood: Mood, begins: float, ends: float) -> Moods:
    """That mood from then until then."""
    return lambda at: mood if begins <= at < ends else Mood.WELL


def flapping(mood: Mood, begins: float, ends: float, period_s: float) -> Moods:
    """Half of each period in that mood."""
    return lambda at: mood if begins <= at < ends and (at - begins) % period_s < period_s / 2 else Mood.WELL


@dataclass(frozen=True, slots=True)
class Sent:
    """A payment that was sent somewhere; `verdict` None while it has no answer."""

    account: str
    at: float
    is_probe: bool
    process: int


@dataclass
class Town:
    """`rate` payments a second over all processes; accounts are preferred by their worth (success × worth)."""

    seed: int
    moods: Mapping[str, Moods]
    worth: Mapping[str, float]
    rate: float = 100.0
    processes: int = 1
    success: float = 0.99
    median_s: float = 0.25
    settings: HealthSettings = field(default_factory=HealthSettings)
    has_exchange: bool = True

    def __post_init__(self) -> None:
        self.now = 0.0
        self.rng = random.Random(self.seed)
        self.healths = [Health(self.settings, lambda: self.now) for _ in range(self.processes)]
        self.sent: list[Sent] = []
        self.lost: list[Sent] = []
        self.nowhere: list[float] = []
        self.changes: list[tuple[float, int, str, BreakerState]] = []
        self._states: dict[tuple[int, str], BreakerState] = {}
        self._probed_at: dict[str, float] = {}
        self._notes: list[tuple[bytes, float]] = [(b"", 0.0)] * self.processes
        self._hearing = [notes.Hearing(health) for health in self.healths]
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def run(self, until: float) -> Town:
        """Play until then."""
        self._in(self.rng.expovariate(self.rate), self._arrival)
        for process in range(self.processes):
            self._in(self.rng.uniform(0, TICK_S), partial(self._tick, process))
            self._in(self.rng.uniform(0, 1), partial(self._probe, process))
            if self.processes > 1 and self.has_exchange:
                self._in(self.rng.uniform(0, 0.25), partial(self._exchange, process))
        while self._events and self._events[0][0] <= until:
            self.now, _, act = heapq.heappop(self._events)
            act()
        return self

    @staticmethod
    def cell(account: str) -> Cell:
        return Cell(account, Wallet.WECHAT, Method.BARCODE)

    def _in(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), act))

    def _arrival(self) -> None:
        self._in(self.rng.expovariate(self.rate), self._arrival)
        self._pay(self.rng.randrange(self.processes), frozenset())

    def _pay(self, process: int, tried: frozenset[str]) -> None:
        account = self._choose(process, tried)
        if account is None:
            self.nowhere.append(self.now)
            return
        health = self.healths[process]
        is_probe = health.standing(self.cell(account)).state is BreakerState.HALF_OPEN
        sent = Sent(account, self.now, is_probe, process)
        self.sent.append(sent)
        call = health.begin(self.cell(account))
        seconds, verdict = self._answer(account)

        def end() -> None:
            call.end(verdict)
            if verdict is Verdict.UNSENT:
                self._pay(process, tried | {account})
            elif verdict is Verdict.FAULT:
                self.lost.append(sent)

        self._in(seconds, end)

    def _choose(self, process: int, tried: frozenset[str]) -> str | None:
        health = self.healths[process]
        best, best_value = None, -math.inf
        for account, worth in self.worth.items():
            standing = health.standing(self.cell(account))
            if account in tried or standing.state is BreakerState.OPEN:
                continue
            if standing.in_flight >= standing.in_flight_max:
                continue
            if standing.state is BreakerState.HALF_OPEN:
                if standing.probes_free and health.reserve_probe(self.cell(account)):
                    return account
                continue
            if standing.success * worth > best_value:
                best, best_value = account, standing.success * worth
        return best

    def _answer(self, account: str) -> tuple[float, Verdict]:
        seconds = self.rng.lognormvariate(math.log(self.median_s), 0.5)
        mood = self.moods.get(account, lambda _: Mood.WELL)(self.now)
        if mood is Mood.REFUSES:
            return 0.001, Verdict.UNSENT
        if mood in {Mood.ERRS, Mood.ERRS_AT_CHARGES}:
            return seconds, Verdict.FAULT
        if mood is Mood.SILENT:
            return TIMEOUT_S, Verdict.FAULT
        success = 0.7 if mood is Mood.BROWNED_OUT else self.success
        return seconds, Verdict.OK if self.rng.random() < success else Verdict.FAULT

    def _tick(self, process: int) -> None:
        self._in(TICK_S, partial(self._tick, process))
        self.healths[process].tick()
        for account in self.worth:
            state = self.healths[process].standing(self.cell(account)).state
            if self._states.get((process, account), BreakerState.CLOSED) is not state:
                self._states[process, account] = state
                self.changes.append((self.now, process, account, state))

    def _probe(self, process: int) -> None:
        self._in(0.25, partial(self._probe, process))
        health = self.healths[process]
        for account in health.open_accounts():
            if self.has_exchange and self.now < self._probed_at.get(account, -math.inf) + 1.0:
                health.asked(account)
                continue
            self._probed_at[account] = self.now
            mood = self.moods.get(account, lambda _: Mood.WELL)(self.now)
            if mood in {Mood.WELL, Mood.BROWNED_OUT, Mood.ERRS_AT_CHARGES}:
                self._in(0.2, partial(health.alive, account))
            else:
                seconds = QUERY_TIMEOUT_S if mood is Mood.SILENT else 0.05
                self._in(seconds, partial(health.dead, account))

    def _exchange(self, process: int) -> None:
        self._in(0.25, partial(self._exchange, process))
        self._notes[process] = (notes.write(self.healths[process]), self.now)
        others = [notes.Note(str(who), *note) for who, note in enumerate(self._notes) if who != process]
        self._hearing[process].hear(note._replace(age_s=self.now - note.age_s) for note in others)

    # What came of it

    def sent_to(self, account: str, begins: float = 0.0, ends: float = math.inf, *, probes: bool = False) -> list[Sent]:
        """Payments sent there in that time; probes only, or all the others."""
        return [s for s in self.sent if s.account == account and begins <= s.at < ends and s.is_probe is probes]

    def states(self, account: str, process: int = 0) -> list[tuple[float, BreakerState]]:
        """When the breaker changed, as seen at the ticks."""
        return [(at, state) for at, who, which, state in self.changes if (who, which) == (process, account)]
