"""What a process tells of itself: its role, its version, its CPU time and its memory."""

from __future__ import annotations

import os
import resource
import time
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Final

from gateway.kernel.metrics import BUILD, PROCESS_CPU_SECONDS, PROCESS_MEMORY, PROCESSES

_STATM: Final = Path("/proc/self/statm")
_EVERY_S: Final = 5.0


class Role(StrEnum):
    """What a process does."""

    GATEWAY = "gateway"
    WORKER = "worker"


class ProcessWatch:
    """One per process; `look` is cheap, and most of the time does nothing."""

    def __init__(self, role: Role) -> None:
        self._memory = PROCESS_MEMORY.labels(role)
        self._cpu = PROCESS_CPU_SECONDS.labels(role)
        self._cpu_s = 0.0
        self._due_s = 0.0
        PROCESSES.labels(role).set(1)
        BUILD.labels(version("mashang")).set(1)

    def look(self) -> None:
        """Tell it, every few seconds."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _EVERY_S
        cpu_s = time.process_time()
        self._cpu.inc(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        self._memory.set(_resident_bytes())


def _resident_bytes() -> int:
    """Now, where the system tells it (Linux); else the most there was."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
