"""Reads what this machine or container gives."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.doctor.judging.machine import Folder, MachineFacts, RsaFact
from gateway.kernel.rsa.choosing import find_way
from gateway.kernel.rsa.crypto_mb import CryptoMbUnavailableError
from gateway.settings import Settings

_CPU_BOUND: Final = Path("/sys/fs/cgroup/cpu.max")
_MEMORY_BOUND: Final = Path("/sys/fs/cgroup/memory.max")


def gather_machine(settings: Settings, processes: int) -> MachineFacts:
    """Looks, and writes nothing."""
    named = {"MASHANG_METRICS_DIR": settings.metrics_dir, "MASHANG_ARCHIVE_DIR": settings.archive_dir}
    return MachineFacts(
        files_max=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        processors=_processors(),
        memory_bytes=_memory_bytes(),
        processes=processes,
        folders=tuple(_folder(name, path) for name, path in named.items() if path is not None),
        has_time_zones=_has_time_zones(),
        has_metrics_folder=settings.metrics_dir is not None,
        rsa=_rsa(settings),
    )


def _folder(variable: str, path: Path) -> Folder:
    """The service makes the metrics folder itself, where it may: then the folder above is what counts."""
    place = path if path.exists() or variable != "MASHANG_METRICS_DIR" else path.parent
    if not place.is_dir():
        return Folder(variable, str(path), "there is no such folder")
    if not os.access(place, os.W_OK | os.X_OK):
        return Folder(variable, str(path), f"user {os.geteuid()} may not write there")
    return Folder(variable, str(path), None, shutil.disk_usage(place).free)


def _rsa(settings: Settings) -> RsaFact:
    """Tried out as a process of the service does when it starts."""
    try:
        way = find_way(settings.rsa, settings.crypto_mb_library)
    except CryptoMbUnavailableError as error:
        return RsaFact(None, str(error))
    return RsaFact(way.choice.value, way.reason)


def _processors() -> float:
    """The container's share, or all that this process may use."""
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    words = _read(_CPU_BOUND).split()
    if len(words) == 2 and words[0].isdigit():
        return min(usable, int(words[0]) / int(words[1]))
    return usable


def _memory_bytes() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    bound = _read(_MEMORY_BOUND).strip()
    return min(total, int(bound)) if bound.isdigit() else total


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _has_time_zones() -> bool:
    try:
        ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        return False
    return True
