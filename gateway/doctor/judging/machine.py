"""This machine or container: files, memory, processors, folders, time zones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.doctor.finding import Area, Finding, Scribe

_SCRIBE: Final = Scribe(Area.MACHINE)
_FILES_BAD: Final = 1_024
_FILES_WARN: Final = 8_192
_BYTES_PER_PROCESS: Final = 300_000_000
"""What a process of the gateway or the worker takes at most, with rule sets and lists of usual size."""
_FREE_BYTES_MIN: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Folder:
    """One that the settings name; `trouble` is why nothing can be written there, None where it can."""

    variable: str
    path: str
    trouble: str | None
    free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RsaFact:
    """What signs requests here, and why; no name where it is not what the settings ask for."""

    way: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """`processors` and `memory_bytes` are the container's bounds where it has any."""

    files_max: int
    processors: float
    memory_bytes: int
    processes: int
    folders: tuple[Folder, ...]
    has_time_zones: bool
    has_metrics_folder: bool
    rsa: RsaFact


def judge_machine(facts: MachineFacts) -> list[Finding]:
    """All that can be said of it."""
    return [*_files(facts), *_size(facts), *_folders(facts), _zones(facts), _rsa(facts.rsa)]


def _files(facts: MachineFacts) -> Iterator[Finding]:
    told = f"a process may have {facts.files_max:,} files and connections open"
    advice = "ulimit -n 65536, LimitNOFILE= of the service, or the container runtime's default-ulimits."
    if facts.files_max <= _FILES_BAD:
        yield _SCRIBE.problem("files", told, advice)
    elif facts.files_max < _FILES_WARN:
        yield _SCRIBE.warning("files", told, advice)
    else:
        yield _SCRIBE.ok("files", told)


def _size(facts: MachineFacts) -> Iterator[Finding]:
    told = f"{facts.processors:g} processors for {facts.processes} processes"
    advice = "Run one gateway process a processor (--processes says how many run); docs/capacity.md"
    yield _SCRIBE.at_most("processors", told, facts.processes, (facts.processors + 1, 2 * facts.processors + 2), advice)
    needed = facts.processes * _BYTES_PER_PROCESS
    told = f"{facts.memory_bytes / 1e9:.1f} GB of memory for {facts.processes} processes"
    advice = "Give each process 300 MB, or run fewer."
    yield _SCRIBE.at_most("memory", told, needed, (0.8 * facts.memory_bytes, facts.memory_bytes), advice)


def _folders(facts: MachineFacts) -> Iterator[Finding]:
    if not facts.has_metrics_folder:
        yield _SCRIBE.warning(
            "metrics",
            "MASHANG_METRICS_DIR is not set: /metrics tells of the one process that answers",
            "Set it to a folder in memory (/dev/shm, an emptyDir) that this host's processes share.",
        )
    for folder in facts.folders:
        if folder.trouble is not None:
            advice = "Make it, writable for the user that the service runs as."
            yield _SCRIBE.problem(folder.variable, f"{folder.path}: {folder.trouble}", advice)
        elif folder.variable == "MASHANG_ARCHIVE_DIR" and folder.free_bytes < _FREE_BYTES_MIN:
            told = f"{folder.path} has {folder.free_bytes / 1e6:,.0f} MB left"
            yield _SCRIBE.warning(folder.variable, told, "Give it room for a month of payments (docs/growing.md).")
        else:
            yield _SCRIBE.ok(folder.variable, f"{folder.path} can be written")


def _zones(facts: MachineFacts) -> Finding:
    if facts.has_time_zones:
        return _SCRIBE.ok("time_zones", "Asia/Shanghai is known")
    advice = "Install the system's tzdata package, or the Python package tzdata."
    return _SCRIBE.problem("time_zones", "no time zone data: campaigns' and accounts' hours cannot be read", advice)


def _rsa(fact: RsaFact) -> Finding:
    """OpenSSL is no fault: it takes more of the processor (docs/decisions/0039)."""
    if fact.way is not None:
        return _SCRIBE.ok("rsa", f"signatures by {fact.way}: {fact.reason}")
    advice = "Install the extra `multibuffer` on a processor with AVX-512 IFMA, or set MASHANG_RSA=auto."
    return _SCRIBE.problem("rsa", f"MASHANG_RSA=multibuffer, and {fact.reason}", advice)
