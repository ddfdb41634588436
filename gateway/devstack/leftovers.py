"""Processes of an earlier stack that still work in a data folder: wait, for two servers would ruin it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

from gateway.processes.errors import StackError

_PROC: Final = Path("/proc")
_POLL_S: Final = 0.02
_PATIENCE_S: Final = 10.0


def await_leftovers(data: Path) -> None:
    """Return once no process has the folder as its working folder: both servers, and back-ends, live in theirs.

    The caller holds the state's lock, so whoever is still here lost its parent and is on its way out; a server that
    stays is told to quit.  Without /proc (not Linux) the servers' own checks have to do.
    Raises StackError when a process stays all the same.
    """
    if not (_PROC / "self").exists() or not data.exists():
        return
    deadline = time.monotonic() + _PATIENCE_S
    asked_to_quit = False
    while found := _working_in(data):
        if time.monotonic() > deadline:
            raise StackError(f"Process {found[0]} still works in {data}; end it (kill {found[0]}) and start again")
        if not asked_to_quit and time.monotonic() > deadline - _PATIENCE_S / 2:
            asked_to_quit = True
            for process in found:
                os.kill(process, signal.SIGQUIT)
        time.sleep(_POLL_S)


def _working_in(data: Path) -> list[int]:
    """Ids of the processes whose working folder it is."""
    target = data.resolve()
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                folder = (entry / "cwd").readlink()
            except OSError:
                continue  # gone meanwhile, or somebody else's
            if folder == target:
                found.append(int(entry.name))
    return found
