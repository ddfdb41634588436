"""CPU time and memory of process trees, as the operating system books them (proc(5): stat, smaps_rollup)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_TICK_US: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


class Stat(NamedTuple):
    """Parent, µs of CPU in user mode and µs of CPU in the kernel, of one process."""

    parent: int
    user_us: int
    system_us: int


class Used(NamedTuple):
    """µs of CPU of a group of process trees."""

    user_us: int
    system_us: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of a process tree; `pss` divides shared pages among those who share them."""

    rss_mib: float
    pss_mib: float


def parse_stat(text: str) -> Stat:
    """One /proc/PID/stat: all threads, and the children already reaped.

    The reaped children are what makes a tree's sum complete: a PostgreSQL back-end that exits moves its whole time
    into its parent's, so the tree's sum never falls and the difference of two sums is what was used in between.
    """
    fields = text[text.rindex(")") + 2 :].split()
    user, system, user_of_children, system_of_children = map(int, fields[11:15])
    return Stat(int(fields[1]), (user + user_of_children) * _TICK_US, (system + system_of_children) * _TICK_US)


def _read_all() -> dict[int, Stat]:
    found = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            found[int(folder.name)] = parse_stat((folder / "stat").read_text(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def _tree(roots: Iterable[int], stats: Mapping[int, Stat]) -> set[int]:
    """The processes and all that descend from them."""
    tree = {pid for pid in roots if pid in stats}
    while grown := {pid for pid, stat in stats.items() if stat.parent in tree} - tree:
        tree |= grown
    return tree


def cpu_us(groups: Mapping[str, Iterable[int]]) -> dict[str, int]:
    """µs of CPU that each group of process trees has used so far, all read in one pass."""
    return {name: sum(used) for name, used in cpu_split_us(groups).items()}


def cpu_split_us(groups: Mapping[str, Iterable[int]]) -> dict[str, Used]:
    """The same, in user mode and in the kernel (which the operating system estimates from its ticks)."""
    stats = _read_all()
    trees = {name: [stats[pid] for pid in _tree(roots, stats)] for name, roots in groups.items()}
    return {
        name: Used(sum(each.user_us for each in tree), sum(each.system_us for each in tree))
        for name, tree in trees.items()
    }


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
