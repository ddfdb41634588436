"""The health of all accounts, as one process knows it: the face of this package.

    call = health.begin(cell)                 # or: with health.begin(cell) as call: ...
    call.end(verdict_of(answer))              # exactly once
    health.decide(cell, verdict)              # what a poll found of a call that ended UNDECIDED
    standing = health.standing(cell)          # live; read its attributes at each choice
    health.reserve_probe(cell)                # before a payment is sent to a half-open account
    health.tick()                             # every 100 ms
    health.alive(account_id)                  # it answered a query; `dead`: it did not; `asked`: it is being asked

When every account that could take a sale is OPEN there is none to choose, and the payment fails at once as
`channel_unavailable`: a breaker opens only where "down" is far more likely than "a third of the payments fail", asks
again each second, and lets a payment through as soon as the account answers.  Nothing is kept open for the sake of
having a way, because a way that is down costs the customer a timeout and leaves a payment to be looked for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from routing.health.cells import Call, CellHealth
from routing.health.lanes import Lane
from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState, Standing
from routing.health.verdicts import Verdict
from routing.sale import Cell

__all__ = ["Call", "Health"]

TICK_S = 0.1
_DECAY_S = 0.5
CELLS_KEPT_MAX = 4_000


class Health:
    """One per process.  `clock` reads seconds that never go back (a simulation hands in its own)."""

    def __init__(self, settings: HealthSettings | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings or HealthSettings()
        self.clock = clock
        self._cells: dict[Cell, CellHealth] = {}
        self._active: dict[Cell, CellHealth] = {}
        self._by_account: defaultdict[str, list[CellHealth]] = defaultdict(list)
        self._lanes: dict[str, Lane] = {}
        self._ticked_at = self._decayed_at = clock()

    # The hot path

    def begin(self, cell: Cell) -> Call:
        """A call to the account begins now."""
        health = self._active.get(cell) or self._activate(cell)
        call = Call(self, health, self.clock(), is_probe=health.breaker.begin())
        health.begin(call)
        return call

    def standing(self, cell: Cell) -> Standing:
        """How it stands: the same object at every call."""
        return (self._cells.get(cell) or self._add(cell)).standing

    def reserve_probe(self, cell: Cell) -> bool:
        """Keep one of the places of a half-open account for a payment that begins within ten seconds."""
        health = self._cells.get(cell)
        if health is None or not health.breaker.reserve(self.clock()):
            return False
        health.standing.probes_free = health.breaker.probes_free
        return True

    def decide(self, cell: Cell, verdict: Verdict) -> None:
        """How a call came out that had ended UNDECIDED."""
        (self._active.get(cell) or self._activate(cell)).decide(verdict, self.clock())

    def ended(self, call: Call, verdict: Verdict) -> None:
        """What `Call.end` tells: no connection concerns every cell of the account."""
        now, cell = self.clock(), call.cell
        is_current = call.epoch == cell.breaker.epoch
        cell.end(call, verdict, now)
        if verdict is Verdict.UNSENT and is_current:
            for sibling in self._by_account[cell.cell.account_id]:
                if sibling is not cell and sibling.good_began < call.began:
                    self._active[sibling.cell] = sibling
                    sibling.suspect(now)
                    sibling.show()

    # What happens in the background

    def tick(self) -> None:
        """Let time pass; to be called every 100 ms."""
        now = self.clock()
        elapsed_s = now - self._ticked_at
        self._ticked_at = now
        is_blind = elapsed_s > self.settings.blind_s
        for cell in self._active.values():
            cell.tick(now, is_blind=is_blind)
        for lane in self._lanes.values():
            lane.tick(elapsed_s)
        if now - self._decayed_at >= _DECAY_S:
            self._decay(now - self._decayed_at)
            self._decayed_at = now

    def alive(self, account_id: str) -> None:
        """The account answered a query."""
        for cell in self._by_account.get(account_id, ()):
            cell.breaker.alive(self.clock())

    def dead(self, account_id: str) -> None:
        """It did not: no payment tries it for now."""
        for cell in self._by_account.get(account_id, ()):
            cell.breaker.dead(self.clock())

    def asked(self, account_id: str) -> None:
        """It is being asked; while nobody does, an open breaker lets a payment try it now and then."""
        for cell in self._by_account.get(account_id, ()):
            cell.breaker.asked(self.clock())

    # What others read and tell

    @property
    def cells(self) -> Iterable[CellHealth]:
        """Everything that is known."""
        return self._cells.values()

    @property
    def active(self) -> Iterable[CellHealth]:
        """Those with evidence, calls under way, or a breaker that is not closed."""
        return self._active.values()

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The calls under way, by account."""
        return self._lanes

    def open_accounts(self) -> Iterator[str]:
        """The accounts with an open breaker: these are asked whether they answer again."""
        for account_id, cells in list(self._by_account.items()):
            if any(cell.breaker.state is BreakerState.OPEN for cell in cells):
                yield account_id

    def has_room_for(self, cell: Cell) -> bool:
        """Whether what others tell of a cell is to be kept: cells stay for ever, and a foreign note may name any."""
        return cell in self._cells or len(self._cells) < CELLS_KEPT_MAX

    def cell_health(self, cell: Cell) -> CellHealth:
        """All that is kept of a cell, which is active from now on."""
        return self._active.get(cell) or self._activate(cell)

    def _add(self, cell: Cell) -> CellHealth:
        lane = self._lanes.get(cell.account_id)
        if lane is None:
            lane = self._lanes[cell.account_id] = Lane(self.settings)
        health = self._cells[cell] = CellHealth(cell, lane, self.settings)
        self._by_account[cell.account_id].append(health)
        return health

    def _activate(self, cell: Cell) -> CellHealth:
        health = self._cells.get(cell) or self._add(cell)
        self._active[cell] = health
        return health

    def factors(self, elapsed_s: float) -> tuple[float, float]:
        """What is left of the fast and of the slow window after so long."""
        settings = self.settings
        return 0.5 ** (elapsed_s / settings.success_half_life_s), 0.5 ** (elapsed_s / settings.slow_half_life_s)

    def _decay(self, elapsed_s: float) -> None:
        fast, slow = self.factors(elapsed_s)
        latency = 0.5 ** (elapsed_s / self.settings.latency_half_life_s)
        for cell in self._active.values():
            cell.decay(fast, slow, latency)
        for cell in [cell for cell in self._active.values() if cell.is_idle]:
            del self._active[cell.cell]
