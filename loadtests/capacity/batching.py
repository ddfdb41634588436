"""The two ways in which waiting work leaves a gateway process together: the group commit and Valkey's pipeline."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from gateway.database.lingering import Lingering
from loadtests.capacity.events import Resume, Simulation, Wait
from loadtests.capacity.machine import Disk, Process

_PIPELINE_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class BatchCost:
    """Seconds of CPU: of the gateway for a batch, and of the store for a batch and for each row in it."""

    gateway_s: float
    batch_s: float
    row_s: float


@dataclass(slots=True)
class Tally:
    """How many batches there were, and rows in them."""

    batches: int = 0
    rows: int = 0

    def add(self, rows: int) -> None:
        """Note a batch."""
        self.batches += 1
        self.rows += rows

    def __sub__(self, earlier: Tally) -> Tally:
        return Tally(self.batches - earlier.batches, self.rows - earlier.rows)

    @property
    def rows_mean(self) -> float:
        """Rows in a batch."""
        return self.rows / self.batches if self.batches else 0.0


class AlwaysLingering(Lingering):
    """What if a batch always waited as long as it may: not what the gateway does."""

    @property
    def linger_s(self) -> float:
        return self.linger_s_max


class Batches:
    """Rows that wait for one statement of one gateway process, one batch in flight (gateway/database/group_commit.py).

    How long a batch lingers is decided by the gateway's own policy.  A statement that only reads has no disk, one that
    never lingers has 0 for `linger_s_max`; Valkey's pipeline is both.
    """

    def __init__(
        self,
        simulation: Simulation,
        gateway: Process,
        store: Process,
        cost: BatchCost,
        *,
        disk: Disk | None = None,
        linger_s_max: float = 0.0,
        rows_max: int = _PIPELINE_MAX,
        trip_s: float = 0.0,
        standby_s: float = 0.0,
        policy: type[Lingering] = Lingering,
    ) -> None:
        self.tally = Tally()
        self._simulation = simulation
        self._gateway = gateway
        self._store = store
        self._cost = cost
        self._disk = disk
        self._rows_max = rows_max
        self._trip_s = trip_s
        self._standby_s = standby_s
        self._lingering = policy(linger_s_max, simulation.now_s)
        self._waiting: deque[Resume] = deque()
        self._busy = False
        self._linger_number = 0
        self._is_lingering = False

    def submit(self) -> Wait:
        """Wait until our row is done."""
        return self.put

    def put(self, resume: Resume) -> None:
        """The same for who does not wait."""
        self._lingering.arrived(self._simulation.now_s)
        self._waiting.append(resume)
        if not self._busy:
            self._busy = True
            self._next()
        elif self._is_lingering and len(self._waiting) >= self._rows_max:
            self._end_lingering(self._linger_number)

    def _next(self) -> None:
        linger_s = self._lingering.linger_s
        if linger_s and len(self._waiting) < self._rows_max:
            self._linger_number += 1
            self._is_lingering, number = True, self._linger_number
            self._simulation.after(linger_s, lambda: self._end_lingering(number))
        else:
            self._gateway.do(self._cost.gateway_s, self._send)

    def _end_lingering(self, number: int) -> None:
        if self._is_lingering and number == self._linger_number:
            self._is_lingering = False
            self._gateway.do(self._cost.gateway_s, self._send)

    def _send(self) -> None:
        rows = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._rows_max))]
        self.tally.add(len(rows))
        began_s = self._simulation.now_s

        def executed() -> None:
            if self._disk is None:
                self._simulation.after(self._trip_s / 2, answered)
            else:
                self._disk.flush(lambda: self._simulation.after(self._standby_s + self._trip_s / 2, answered))

        def answered() -> None:
            self._gateway.do(0.0, done)

        def done() -> None:
            self._lingering.took(self._simulation.now_s - began_s)
            for resume in rows:
                resume()
            if self._waiting:
                self._next()
            else:
                self._busy = False

        work_s = self._cost.batch_s + self._cost.row_s * len(rows)
        self._simulation.after(self._trip_s / 2, lambda: self._store.do(work_s, executed))
