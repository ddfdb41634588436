"""The folder of metric files (MASHANG_METRICS_DIR): each process of a host has its own files, a scrape reads them all.

Counters of a process that died are added to the files of process 0, which is nobody: they never go back, and any number
of restarts leaves two files.  A dead process's gauges are removed.  A folder in which nobody lives is emptied.
prometheus_client asks for the folder when it is imported, so this module imports it late, and a process that counts
says so (`count_in`) before it settles: the sweep needs prometheus_client.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_DEAD: Final = "0"
_LOCK: Final = "lock"
_KINDS: Final = ("counter", "histogram")
_NUMBERS_END: Final = 1 << 22
"""No process has a number from here on: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html (pid_max)."""
_ENTRY_BYTES_MAX: Final = 32
"""Of an entry in a file, beside its key: lengths, padding, value and time."""
_PAGE_BYTES: Final = 1 << 16


def count_in(folder: Path) -> None:
    """Have this process count in that folder, from now on; before prometheus_client is imported."""
    os.environ[VARIABLE] = str(folder)


def of_worker(folder: Path, port: int | None) -> Path:
    """Where a worker counts: one with a port of its own is scraped there, so it counts apart and is told of once."""
    return folder if port is None else folder / f"worker-{port}"


def settle(folder: Path) -> None:
    """Make the folder; forget what is of nobody, or, where some process still lives, only add up what died.

    At the start of a process, before it has files.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder):
        _disown(folder)
        if any(_lives(pid) for pid in _pids(folder)):
            sweep(folder)
            return
        for path in folder.iterdir():
            if path.is_file() and path.name != _LOCK and not _is_of_living(path):
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


def _disown(folder: Path) -> None:
    """In a container the process before had our number: what it left goes under a number that nobody has."""
    ours = str(os.getpid())
    for path in metric_files(folder):
        head, _, pid = path.stem.rpartition("_")
        if pid == ours:
            path.rename(path.with_name(f"{head}_{_NUMBERS_END + os.getpid()}.db"))


def _add_up(folder: Path, kind: str, path: Path) -> None:
    """Write the sum beside, and put it in its place whole.  Killed between the last two lines, it counts twice.

    Raises OSError where the disk is full.
    """
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415  see above

    from gateway.metrics.merging import totals  # noqa: PLC0415
    from gateway.metrics.ranking import shortened  # noqa: PLC0415

    dead, new = folder / f"{kind}_{_DEAD}.db", folder / f"{kind}.new"
    found = shortened(totals((dead, path)), folder)
    _make_room(new, found)
    written = MmapedDict(str(new))  # type: ignore[no-untyped-call]
    for key, value in found.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    new.replace(dead)
    path.unlink()


def _make_room(new: Path, found: Mapping[str, float]) -> None:
    """A file of zeros that all of it fits into: to grow a mapped file on a full disk is not an error but SIGBUS."""
    bytes_max = sum(len(key.encode()) + _ENTRY_BYTES_MAX for key in found) + _ENTRY_BYTES_MAX
    with new.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, -(-bytes_max // _PAGE_BYTES) * _PAGE_BYTES)


def _pids(folder: Path) -> set[str]:
    pids = {path.stem.rpartition("_")[2] for path in metric_files(folder)}
    return {pid for pid in pids if pid.isdigit() and pid != _DEAD}


def _is_of_living(path: Path) -> bool:
    """Another process that starts at this moment may have made it since we looked."""
    pid = path.stem.rpartition("_")[2]
    return path.suffix == ".db" and pid.isdigit() and pid != _DEAD and _lives(pid)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
