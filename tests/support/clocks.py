"""Clocks as tests want them: processes whose clock is off, and time zones whose midnight is seconds away.

    with near_midnights(folder):                       # PYTHONTZPATH of processes is `tz_path()`
        zone = zone_of_midnight(time.time() + 8)       # a fixed offset; PostgreSQL reads its name as POSIX does

Processes with a shifted clock are made by tests/faults/shifted/sitecustomize.py.
"""

from __future__ import annotations

import math
import os
import struct
import time
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.processes.children import Child, Command

_SITE: Final = Path(__file__).parents[1] / "faults" / "shifted"
_DAY_S: Final = 86_400
_STEP_S: Final = 5
_AHEAD_S: Final = 900
"""So far ahead are there midnights."""


def with_clock(child: Child, shift_s: int) -> Command:
    """The child's command with a wall clock that is off by so much."""
    assert child.command.environment is not None
    environment = {**child.command.environment, "PYTHONPATH": str(_SITE), "CLOCK_SHIFT_S": str(shift_s)}
    return replace(child.command, environment=environment)


def tz_path() -> str:
    """PYTHONTZPATH for processes that are to know the zones that this one knows."""
    return os.pathsep.join(zoneinfo.TZPATH)


def zone_of_midnight(at_s: float) -> tuple[str, float]:
    """The zone whose next midnight from that moment on (Unix time) is nearest, and that midnight."""
    midnight_s = math.ceil(at_s / _STEP_S) * _STEP_S
    return _name(midnight_s), float(midnight_s)


@contextmanager
def near_midnights(folder: Path) -> Iterator[None]:
    """Zones of the next quarter of an hour, which this process knows too."""
    folder.mkdir(parents=True, exist_ok=True)
    first_s = math.ceil(time.time() / _STEP_S) * _STEP_S
    for midnight_s in range(first_s, first_s + _AHEAD_S, _STEP_S):
        (folder / _name(midnight_s)).write_bytes(_tzif(_offset_s(midnight_s)))
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(folder), *before])
    try:
        yield
    finally:
        zoneinfo.reset_tzpath(before)


def _offset_s(midnight_s: int) -> int:
    """East of Greenwich, from -12 to 12 hours: then it is midnight there."""
    of_day_s = midnight_s % _DAY_S
    return -of_day_s if of_day_s <= _DAY_S // 2 else _DAY_S - of_day_s


def _name(midnight_s: int) -> str:
    """As POSIX writes a zone: what is east has a minus."""
    offset_s = _offset_s(midnight_s)
    minutes, seconds = divmod(abs(offset_s), 60)
    return f"MID{'-' if offset_s > 0 else '+'}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _tzif(offset_s: int) -> bytes:
    """A file of the time zone database (RFC 8536, version 1) with one offset for ever."""
    header = b"TZif" + b"\0" * 16 + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    return header + struct.pack(">lBB", offset_s, 0, 0) + b"MID\0"
