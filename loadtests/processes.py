"""CPU time and memory of process trees, as the operating system books them (proc(5): stat, smaps_rollup)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICK_US: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    cpu_us: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of a process tree; `pss` divides shared pages among those who share them."""

    rss_mib: float
    pss_mib: float


def parse_stat(text: str) -> tuple[int, int]:
    """Parent and µs of CPU of one /proc/PID/stat: user and system, all threads, and of children already reaped.

    The reaped children are what makes a tree's sum complete: a PostgreSQL back-end that exits moves its whole time
    into its parent's, so the tree's sum never falls and the difference of two sums is what was used in between.
    """
    fields = text[text.rindex(")") + 2 :].split()
    return int(fields[1]), sum(map(int, fields[11:15])) * _TICK_US


def _read_all() -> dict[int, _Stat]:
    found = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            found[int(folder.name)] = _Stat(*parse_stat((folder / "stat").read_text(errors="replace")))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def _tree(roots: Iterable[int], stats: Mapping[int, _Stat]) -> set[int]:
    """The processes and all that descend from them."""
    tree = {pid for pid in roots if pid in stats}
    while grown := {pid for pid, stat in stats.items() if stat.parent in tree} - tree:
        tree |= grown
    return tree


def cpu_us(groups: Mapping[str, Iterable[int]]) -> dict[str, int]:
    """µs of CPU that each group of process trees has used so far, all read in one pass."""
    stats = _read_all()
    return {name: sum(stats[pid].cpu_us for pid in _tree(roots, stats)) for name, roots in groups.items()}


def machine_busy_us() -> int:
    """µs of CPU that the processes of the machine, and its host (steal), have used since it started.

    Interrupts are left out: the load's own packets over loopback make most of them.
    """
    fields = (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, _irq, _softirq, steal = map(int, fields)
    return (user + nice + system + steal) * _TICK_US


def memory(roots: Iterable[int]) -> Memory:
    """What the process trees hold now."""
    rss_kib = pss_kib = 0
    for pid in _tree(roots, _read_all()):
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        sizes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
        rss_kib += sizes["Rss"]
        pss_kib += sizes["Pss"]
    return Memory(rss_kib / 1024, pss_kib / 1024)
