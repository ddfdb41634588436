"""One child process: tethered to us, in a session of its own, its output in a log file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gateway.processes.errors import StackError, log_tail

_TETHER: Final = Path(__file__).with_name("tether.py")
_LOG_BYTES_MAX: Final = 10_000_000
_POLL_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and how; without a log the output goes where ours goes.

    `death_signal` is what the kernel sends it when this process dies.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path | None = None
    environment: Mapping[str, str] | None = None
    inherited_fds: tuple[int, ...] = ()
    account: str = "same"
    death_signal: signal.Signals = signal.SIGKILL


def tethered(arguments: tuple[str, ...], account: str, death_signal: signal.Signals) -> list[str]:
    """The command line that runs a program under the tether."""
    tether = [sys.executable, "-I", "-S", str(_TETHER), str(int(death_signal)), str(os.getpid()), account]
    return [*tether, *arguments]


class Child:
    """A started command.  Start it in the main thread: the tether is to the thread that forks."""

    def __init__(self, command: Command, prepare: Callable[[], None] | None = None) -> None:
        """`prepare` is called before every start, restarts included."""
        self.command = command
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; raises StackError before the first start."""
        if self._process is None:
            raise StackError(f"{self.command.name} has not been started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there; reaps it when it is not."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The status it left with, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it in a session of its own: the terminal's Ctrl-C reaches only us, and the order of stops is ours."""
        command = self.command
        if self._prepare is not None:
            self._prepare()
        with nullcontext() if command.log is None else _open_log(command.log) as log:
            self._process = subprocess.Popen(
                tethered(command.arguments, command.account, command.death_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=None if command.environment is None else dict(command.environment),
                pass_fds=command.inherited_fds,
                start_new_session=True,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if it still runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end; False when it still runs after the time."""
        deadline = time.monotonic() + timeout_s
        while self.running:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def stop(self, *signals: signal.Signals, timeout_s: float) -> None:
        """Send each signal in turn, giving the process `timeout_s` for each, then kill it."""
        for number in (*signals, signal.SIGKILL):
            self.send(number)
            if self.wait(timeout_s):
                return
        raise StackError(f"{self.command.name} (process {self.pid}) cannot be killed")

    def require_running(self) -> None:
        """Raise StackError with the end of the log when the process has died."""
        if not self.running:
            raise StackError(f"{self.command.name} {describe_end(self.exit_status)}{log_tail(self.command.log)}")


def describe_end(status: int | None) -> str:
    """How a process ended, in words; the status as subprocess gives it."""
    if status is None:
        return "still runs"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _open_log(path: Path) -> BinaryIO:
    """Open a log for appending, readable by nobody else; a large one starts anew and is kept once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
