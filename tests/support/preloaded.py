"""Our own processes for tests, forked from a server that has loaded the code: ready in a third of the time.

A process is in every other respect as `Child` starts it: of a session of its own, tethered, its output in its log,
known by its exit status.  The tests of processes and of the development stack start theirs as users do.
"""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import zoneinfo
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from typing import Any, Final

from gateway.processes.children import Child, _open_log
from gateway.processes.tether import PR_SET_PDEATHSIG

_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.support.preloading"])
_MAINS: Final = {"routing.simulators": "routing.simulators.__main__"}


class PreloadedChild(Child):
    """A process of `python -m MODULE ARGUMENT…`, forked instead of started."""

    def start(self) -> None:
        """Fork it; but start it anew where its interpreter is to find other code than ours."""
        command = self.command
        if "PYTHONPATH" in (command.environment or ()):
            super().start()
            return
        assert command.log is not None
        assert command.arguments[:2] == (sys.executable, "-m")
        with _open_log(command.log) as log:
            fds = {fd: DupFd(fd) for fd in command.inherited_fds}
            target = (DupFd(log.fileno()), fds, command.arguments[2:], command.environment or os.environ.copy())
            process = _SERVER.Process(target=_become, args=(*target, command.death_signal), daemon=True)
            process.start()
        self._process = _Forked(process)  # type: ignore[assignment]


class _Forked:
    """What a `subprocess.Popen` tells of a process."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        assert process.pid is not None
        self.pid: int = process.pid

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _become(
    log: Any, fds: Mapping[int, Any], line: tuple[str, ...], environment: Mapping[str, str], death_signal: int
) -> None:
    """In the new process: what `tether.py` and `exec` would have done."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    output = log.detach()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(environment)
    zoneinfo.reset_tzpath()  # from PYTHONTZPATH, as at the start of an interpreter
    inherited = {str(fd): str(duplicate.detach()) for fd, duplicate in fds.items()}
    module, *arguments = line
    sys.argv = [module, *(inherited.get(each, each) for each in arguments)]
    importlib.import_module(_MAINS.get(module, module)).main()
