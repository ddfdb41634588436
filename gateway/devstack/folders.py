"""The folders of a stack: its state, its private place for sockets, and the lock that keeps a second stack out."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from gateway.processes.errors import StackError

# sun_path holds 108 bytes on Linux and 104 on macOS, the closing NUL included; the rest is for the socket's own name.
_SOCKET_FOLDER_BYTES_MAX: Final = 103 - len("/postgres/.s.PGSQL.5432.lock")


def private_folder(path: Path) -> Path:
    """Make the folder, with access for its owner alone.  Raises StackError when it is somebody else's."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or os.geteuid() not in {0, status.st_uid}:
        raise StackError(f"{path} is not a folder of ours; remove it or choose another --state")
    path.chmod(0o700)
    return path


def socket_folder(state: Path) -> Path:
    """A private folder for unix sockets: inside the state, or one of ours elsewhere when the state lies too deep."""
    if _fits(inside := state / "run"):
        return private_folder(inside)
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    bases = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")  # noqa: S108 - private inside, and checked
    for base in bases:
        if base and _fits(folder := Path(base) / f"mashang-{os.geteuid()}-{digest}"):
            return _owned(private_folder(folder))
    raise StackError("There is no place for unix sockets: set XDG_RUNTIME_DIR to a folder with a short path")


def _fits(folder: Path) -> bool:
    """Whether sockets can have their names in it; a comma would part PostgreSQL's list of folders."""
    return len(os.fsencode(folder)) <= _SOCKET_FOLDER_BYTES_MAX and not set(str(folder)) & {",", '"'}


def _owned(path: Path) -> Path:
    """Refuse a folder that another user planted in a place where everybody may write."""
    if path.lstat().st_uid != os.geteuid():
        raise StackError(f"{path} belongs to another user; set XDG_RUNTIME_DIR to a folder of yours")
    return path


class StateLock:
    """Holds a state folder for one stack; the kernel lets go of it however the process ends."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock.  Raises StackError naming the process that has it."""
        path = self._state / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode().strip()
            os.close(descriptor)
            raise StackError(
                f"A stack is already running on {self._state} (process {holder}). "
                "Stop it, or give this one another folder with --state."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._file = descriptor

    def release(self) -> None:
        """Let go of the folder."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
