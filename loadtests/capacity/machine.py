"""Processors shared by processes, and the disk that makes commits durable."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from loadtests.capacity.events import Resume, Simulation, Wait


class Cores:
    """Processors of one machine, shared evenly by those who have something to do, none of whom uses more than one.

    Processor sharing: the limit of the kernel's fair scheduler as its slices become short.  A job is over when the
    service that everybody has had since it began reaches what it asked for.
    """

    def __init__(self, simulation: Simulation, number: float) -> None:
        self.number = number
        self._simulation = simulation
        self._running: list[tuple[float, int, Resume]] = []
        self._served_s = 0.0
        self._since_s = 0.0
        self._order = count()
        self._version = 0
        self._planned: tuple[float, float] | None = None

    def run(self, work_s: float, then: Resume) -> None:
        """Do so many seconds of work, then call."""
        self._catch_up()
        heappush(self._running, (self._served_s + work_s, next(self._order), then))
        self._plan()

    def _rate(self) -> float:
        return min(1.0, self.number / len(self._running))

    def _catch_up(self) -> None:
        now_s = self._simulation.now_s
        if self._running:
            self._served_s += (now_s - self._since_s) * self._rate()
        self._since_s = now_s

    def _plan(self) -> None:
        """Set the moment at which the next one is done, unless it is what was planned already."""
        if not self._running:
            self._planned = None
            return
        rate, ends_s = self._rate(), self._running[0][0]
        if self._planned == (rate, ends_s):
            return
        self._planned = (rate, ends_s)
        self._version += 1
        version, left_s = self._version, max(0.0, ends_s - self._served_s)
        self._simulation.after(left_s / rate, lambda: self._finish(version))

    def _finish(self, version: int) -> None:
        if version != self._version or self._planned is None:
            return  # somebody began or ended meanwhile: the end was planned anew
        self._planned = None
        self._catch_up()
        # what was planned to end now has ended, whatever rounding left of it
        self._served_s = max(self._served_s, self._running[0][0])
        _, _, then = heappop(self._running)
        self._plan()
        then()


class OwnCore:
    """A processor that one process has to itself."""

    def __init__(self, simulation: Simulation) -> None:
        self.run = simulation.after


class Process:
    """One thread that does its jobs in order of arrival: an event loop, a back-end, Valkey.

    Whoever finds it asleep pays for waking it: the context switch, and a turn of its loop for one event alone.
    """

    def __init__(self, cores: Cores | OwnCore, wake_s: float = 0.0) -> None:
        self._cores = cores
        self._wake_s = wake_s
        self._jobs: deque[tuple[float, Resume]] = deque()
        self._busy = False
        self.used_s = 0.0
        self.wakes = 0

    def work(self, seconds: float) -> Wait:
        """Wait until it has done so much for us, after what it has to do already."""
        return lambda resume: self.do(seconds, resume)

    def do(self, seconds: float, then: Resume) -> None:
        """The same for who does not wait: `then` is called at its end."""
        self._jobs.append((seconds, then))
        if not self._busy:
            self._busy = True
            self.wakes += 1
            self._begin(self._wake_s)

    def _begin(self, extra_s: float = 0.0) -> None:
        work_s = self._jobs[0][0] + extra_s
        self.used_s += work_s
        self._cores.run(work_s, self._end)

    def _end(self) -> None:
        _, then = self._jobs.popleft()
        then()
        if self._jobs:
            self._begin()
        else:
            self._busy = False


class Disk:
    """Flushes of one write-ahead log: one at a time, and each makes durable all that was written before it began."""

    def __init__(self, simulation: Simulation, flush_s: Callable[[], float]) -> None:
        self._simulation = simulation
        self._flush_s = flush_s
        self._waiting: list[Resume] = []
        self._busy = False
        self.flushes = 0

    def flush(self, resume: Resume) -> None:
        """Call when everything written so far is durable."""
        self._waiting.append(resume)
        if not self._busy:
            self._begin()

    def _begin(self) -> None:
        covered, self._waiting, self._busy = self._waiting, [], True
        self.flushes += 1

        def end() -> None:
            self._busy = False
            if self._waiting:
                self._begin()
            for resume in covered:
                resume()

        self._simulation.after(self._flush_s(), end)
