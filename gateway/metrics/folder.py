"""The folder of metric files (MASHANG_METRICS_DIR): each process of a host has its own files, a scrape reads them all.

Counters of a process that died are added to the files of process 0, which is nobody: they never go back, and any number
of restarts leaves two files.  A dead process's gauges are removed.  A folder in which nobody lives is emptied.
prometheus_client asks for the folder when it is imported, so this module imports it late.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_DEAD: Final = "0"
_LOCK: Final = "lock"
_KINDS: Final = ("counter", "histogram")


def count_in(folder: Path) -> None:
    """Have this process count in that folder, from now on; before prometheus_client is imported."""
    os.environ[VARIABLE] = str(folder)


def of_worker(folder: Path, port: int | None) -> Path:
    """Where a worker counts: one with a port of its own is scraped there, so it counts apart and is told of once."""
    return folder if port is None else folder / f"worker-{port}"


def settle(folder: Path) -> None:
    """Make the folder; forget what is of nobody, or, where some process still lives, only add up what died."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder):
        if any(_lives(pid) for pid in _pids(folder)):
            sweep(folder)
            return
        for path in folder.iterdir():
            if path.is_file() and path.name != _LOCK:
                path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Add up what died; the caller holds the lock."""
    for pid in _pids(folder):
        if not _lives(pid):
            _retire(folder, pid)


def retire(folder: Path, pid: int) -> None:
    """Add up the counters of a process that has died, and remove its gauges."""
    with locked(folder):
        _retire(folder, str(pid))


def metric_files(folder: Path) -> list[Path]:
    """The files of all processes, the dead ones' sum included."""
    return list(folder.glob("*_*.db"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else reads, or adds up, the files meanwhile: what is being added up would count twice."""
    with (folder / _LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _retire(folder: Path, pid: str) -> None:
    for kind in _KINDS:
        path = folder / f"{kind}_{pid}.db"
        if path.exists():
            _add_up(folder, kind, path)
    for path in folder.glob(f"gauge_*_{pid}.db"):
        path.unlink(missing_ok=True)


def _add_up(folder: Path, kind: str, path: Path) -> None:
    """Write the sum beside, and put it in its place whole.  Killed between the last two lines, it counts twice."""
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415  see above

    from gateway.metrics.merging import totals  # noqa: PLC0415
    from gateway.metrics.ranking import shortened  # noqa: PLC0415

    dead, new = folder / f"{kind}_{_DEAD}.db", folder / f"{kind}.new"
    new.unlink(missing_ok=True)
    written = MmapedDict(str(new))  # type: ignore[no-untyped-call]
    for key, value in shortened(totals((dead, path)), folder).items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    new.replace(dead)
    path.unlink()


def _pids(folder: Path) -> set[str]:
    pids = {path.stem.rpartition("_")[2] for path in metric_files(folder)}
    return {pid for pid in pids if pid.isdigit() and pid != _DEAD}


def _lives(pid: str) -> bool:
    """In a container the process before had our number: while we have no files yet, those under it are not ours."""
    if int(pid) == os.getpid() and "prometheus_client" not in sys.modules:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
