"""Runs Locust as a plan says, and reads what every process's CPU did meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from loadtests.ending import end_session, start_tethered
from loadtests.load.plan import PLAN_VARIABLE
from loadtests.processes import cpu_us, machine_busy_us, memory

LOCUST: Final = "Locust"
GATEWAY: Final = "gateway"
_EVERY_S: Final = 2.0
_MEMORY_EVERY: Final = 5
"""Readings; it walks through all pages, which is dearer than the rest."""
_END_S: Final = 120.0
"""Locust serves its last customers first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """µs of CPU that each group of processes, and the whole machine, had used at a moment of the wall clock."""

    at_s: float
    cpu_us: dict[str, int]
    machine_us: int
    gateway_mib: float | None = None
    """Resident memory of all gateway processes; not in every reading."""


@dataclass(slots=True)
class Readings:
    """The readings of a run, in the order of their times."""

    all: list[Reading] = field(default_factory=list)
    interrupted: bool = False
    """By Ctrl-C, before its end."""

    @property
    def used_us(self) -> dict[str, int]:
        """µs of each group from the first reading to the last."""
        if len(self.all) < 2:
            return {}
        first, last = self.all[0], self.all[-1]
        return {name: max(0, used - first.cpu_us.get(name, 0)) for name, used in last.cpu_us.items()}

    @property
    def others_share(self) -> float:
        """The share of the machine that strangers' processes used."""
        if len(self.all) < 2:
            return 0.0
        first, last = self.all[0], self.all[-1]
        others_us = last.machine_us - first.machine_us - sum(self.used_us.values())
        return max(0.0, others_us / 1_000_000 / (last.at_s - first.at_s) / (os.cpu_count() or 1))

    def between(self, from_s: float, to_s: float) -> Readings:
        """Those between two moments, so that Locust's own start and end are left out; all where they are too few."""
        inside = [reading for reading in self.all if from_s <= reading.at_s <= to_s]
        return Readings(inside) if len(inside) > 1 else self

    @property
    def memory(self) -> list[tuple[float, float]]:
        """MiB of all gateway processes at the moments at which they were read."""
        return [(each.at_s, each.gateway_mib) for each in self.all if each.gateway_mib is not None]

    def cores(self) -> dict[str, list[tuple[float, float]]]:
        """Of each group, how many cores it used at which moment."""
        found: dict[str, list[tuple[float, float]]] = {}
        for earlier, later in zip(self.all, self.all[1:], strict=False):
            for name, used in later.cpu_us.items():
                cores = max(0, used - earlier.cpu_us.get(name, used)) / 1_000_000 / (later.at_s - earlier.at_s)
                found.setdefault(name, []).append((later.at_s, cores))
        return found


def locust_command(*arguments: str) -> list[str]:
    """Locust with our file."""
    return [sys.executable, "-m", "locust", "--locustfile", str(files("loadtests") / "locustfile.py"), *arguments]


def locust_environment(plan: Path) -> dict[str, str]:
    """Of a process that is to follow the plan."""
    return {**os.environ, PLAN_VARIABLE: str(plan)}


def run_locust(plan: Path, arguments: Sequence[str], groups: Mapping[str, list[int]]) -> tuple[int, Readings]:
    """Locust's exit status, and the CPU of all groups.  Ctrl-C ends Locust, which then ends in good order, not us."""
    readings = Readings()
    # In a session of its own, so that Ctrl-C reaches it once and through us
    process = start_tethered(
        locust_command(*arguments), env=locust_environment(plan), stdin=subprocess.DEVNULL, start_new_session=True
    )
    watched = {**groups, LOCUST: [process.pid]}
    try:
        while process.poll() is None:
            try:
                held = memory(groups.get(GATEWAY, ())).rss_mib if len(readings.all) % _MEMORY_EVERY == 0 else 0
                # None where the gateway is not there any more, too
                readings.all.append(Reading(time.time(), cpu_us(watched), machine_busy_us(), held or None))
                process.wait(_EVERY_S)
            except subprocess.TimeoutExpired:
                continue
            except KeyboardInterrupt:
                readings.interrupted = True
                process.send_signal(signal.SIGINT)
    finally:
        status = end_session(process, _END_S)
    return status, readings
