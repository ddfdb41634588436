"""The memory of every process of a stack beside a long measurement, and whether it stays flat (P9).

Resident memory (RSS) where a role is one process; of PostgreSQL and the simulators, which share pages among many, their
proportional share (PSS), so that nothing is counted twice.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from loadtests.bench.outcome import Verdict
from loadtests.processes import memory

SETTLED_S: Final = 600.0
"""Caches and pools fill for so long; what comes after is to be flat."""
CLIMB_MIB_PER_H_MAX: Final = 5.0
HIGHEST_MIB_MAX: Final = 250.0
_SHARING: Final = frozenset({"PostgreSQL", "simulators"})
_GATEWAY: Final = "gateway"
_WORKER: Final = "worker"
_HOUR_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Reading:
    """MiB that each process, or group of them, held so many seconds after the beginning; 0 where it has ended."""

    at_s: float
    mib: Mapping[str, float]


def watched(groups: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """What has a line of its own: each gateway and each worker process, and every other role as a whole."""
    found: dict[str, list[int]] = {}
    for name, pids in groups.items():
        if name in {_GATEWAY, _WORKER}:
            found |= {name if len(pids) == 1 else f"{name} {number}": [pid] for number, pid in enumerate(pids, 1)}
        else:
            found[name] = list(pids)
    return found


class MemoryWatch(threading.Thread):
    """Reads memory each `every_s` seconds until it is told to stop; `tell` is called with every reading."""

    def __init__(self, groups: Mapping[str, Sequence[int]], every_s: float, tell: Callable[[Reading], object]) -> None:
        super().__init__(name="memory watch", daemon=True)
        self._watched = watched(groups)
        self._every_s = every_s
        self._tell = tell
        self._over = threading.Event()
        self.readings: list[Reading] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """The thread's own work; readings keep to their times, however long one takes."""
        began_s = time.monotonic()
        while True:
            at_s = time.monotonic() - began_s
            self.readings.append(Reading(at_s, {name: _held_mib(name, pids) for name, pids in self._watched.items()}))
            self._tell(self.readings[-1])
            next_s = began_s + len(self.readings) * self._every_s
            if self._over.wait(max(0.0, next_s - time.monotonic())):
                return


def _held_mib(name: str, pids: Sequence[int]) -> float:
    held = memory(pids)
    return held.pss_mib if name in _SHARING else held.rss_mib


@dataclass(frozen=True, slots=True)
class Held:
    """What one process, or group, held over time: `points` are seconds and MiB in their order."""

    name: str
    points: Sequence[tuple[float, float]]

    @property
    def highest_mib(self) -> float:
        """The most that it ever held."""
        return max(mib for _, mib in self.points)

    @property
    def has_ended(self) -> bool:
        """Whether it was gone at some time: what follows says nothing of it."""
        return any(mib == 0 for _, mib in self.points)

    def climb_mib_per_h(self, from_s: float = SETTLED_S) -> float | None:
        """The slope of the line through all that was read from then on; None where that is less than three readings."""
        later = [point for point in self.points if point[0] >= from_s]
        if len(later) < 3:  # two points always lie on a line
            return None
        return statistics.linear_regression(*zip(*later, strict=True)).slope * _HOUR_S


def held_by(readings: Sequence[Reading]) -> list[Held]:
    """The readings by process."""
    return [Held(name, [(each.at_s, each.mib[name]) for each in readings]) for name in readings[0].mib]


def memory_verdicts(held: Sequence[Held], *, as_asked: bool) -> list[Verdict]:
    """P9: a gateway process takes 250 MiB at most, and neither it nor a worker climbs; the others are shown.

    `as_asked` says whether it was an hour with everything in force: by less nothing is judged.
    """
    return [verdict for each in held for verdict in _verdicts(each, as_asked and not each.has_ended)]


def _verdicts(held: Held, judged: bool) -> list[Verdict]:
    found = []
    is_gateway, is_ours = held.name.startswith(_GATEWAY), held.name.startswith((_GATEWAY, _WORKER))
    if is_gateway:
        most = HIGHEST_MIB_MAX
        found.append(
            Verdict("P9", f"{held.name}: highest", held.highest_mib, most, at_most=True, judged=judged, unit="MiB")
        )
    climb = held.climb_mib_per_h()
    if climb is not None:
        asked = CLIMB_MIB_PER_H_MAX if is_ours else 0.0
        what = f"{held.name}: climbs after the first ten minutes"
        target = "P9" if is_ours else ""
        found.append(Verdict(target, what, climb, asked, at_most=True, judged=judged and is_ours, unit="MiB/h"))
    return found
