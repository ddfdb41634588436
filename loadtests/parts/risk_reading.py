"""What it takes a process to read a compiled rule set: time, memory, and how long the interpreter is held at most.

`python -m loadtests.parts.risk_reading FOLDER` reads the pieces in a folder, in a process that has done nothing else,
and prints what it found as JSON.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeVar
from unittest.mock import patch

import orjson
import psutil

from risk.rules import artefact
from risk.rules.compiled import CompiledSet

_MIB: Final = 2**20
_SLEEP: Final = time.sleep
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Reading:
    """`held_ms_max` is the longest stretch of CPU between two pauses, when reading and when letting go.

    `after_mib` is what the process has more once it has read the set again and let the first one go.
    """

    rules: int
    stored_mib: float
    took_s: float
    cpu_s: float
    held_ms_max: float
    mib: float
    after_mib: float
    let_go_held_ms_max: float

    def line(self) -> str:
        """In words."""
        return (
            f"{self.rules:,} rules are read in {self.took_s:.2f} s ({self.cpu_s:.2f} s of CPU, held for "
            f"{self.held_ms_max:.1f} ms at most) from {self.stored_mib:.1f} MiB, and take {self.mib:.0f} MiB; after "
            f"another set has taken their place {self.after_mib:.0f} MiB, held for {self.let_go_held_ms_max:.1f} ms"
        )


def reading_of(compiled: CompiledSet) -> Reading:
    """In a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for number, piece in enumerate(artefact.pieces_of(compiled)):
            (Path(folder) / f"{number:06}").write_bytes(piece)
        answer = subprocess.run([sys.executable, "-m", __name__, folder], check=True, stdout=subprocess.PIPE)
    return Reading(**orjson.loads(answer.stdout))


class _Holds:
    """Stands for `time.sleep`, and notes the CPU between two of its calls."""

    def __init__(self) -> None:
        self._since_ns = time.thread_time_ns()
        self.longest_ms = 0.0

    def note(self) -> None:
        """The stretch that ends here."""
        now_ns = time.thread_time_ns()
        self.longest_ms = max(self.longest_ms, (now_ns - self._since_ns) / 1e6)
        self._since_ns = now_ns

    def sleep(self, seconds: float) -> None:
        """A pause."""
        self.note()
        _SLEEP(seconds)
        self._since_ns = time.thread_time_ns()


def main(folder: Path) -> None:
    """Read what the folder holds, twice, and let the first go."""
    paths = sorted(folder.iterdir())
    gc.collect()
    gc.freeze()
    before = _resident()

    def opened() -> Callable[[], bytes]:
        left = iter(paths)
        return lambda: path.read_bytes() if (path := next(left, None)) else b""

    began, cpu = time.perf_counter(), time.process_time()
    first, held_ms_max = _noted(lambda: artefact.read(1, opened()))
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    mib = (_resident() - before) / _MIB
    second = artefact.read(2, opened())
    held = [first]
    rules = len(first.codes)
    del first
    _, let_go_ms_max = _noted(lambda: artefact.let_go(held))
    reading = Reading(
        rules=rules,
        stored_mib=sum(path.stat().st_size for path in paths) / _MIB,
        took_s=took_s,
        cpu_s=cpu_s,
        held_ms_max=held_ms_max,
        mib=mib,
        after_mib=(_resident() - before) / _MIB,  # with the second one
        let_go_held_ms_max=let_go_ms_max,
    )
    assert len(second.codes) == rules
    sys.stdout.buffer.write(orjson.dumps(asdict(reading)))


def _noted(work: Callable[[], _Made]) -> tuple[_Made, float]:
    """What it makes, and how long it held the interpreter at most, in ms of its CPU."""
    holds = _Holds()
    with patch("time.sleep", holds.sleep):
        made = work()
    holds.note()
    return made, holds.longest_ms


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
