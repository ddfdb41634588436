"""How what a benchmark has started ends with it: in order on SIGTERM and SIGHUP, by the kernel where it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from gateway.processes.children import tethered

_LEFT_BEHIND_S: Final = 5.0
_POLL_S: Final = 0.05
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end everything that was started, as Ctrl-C does; only in the main thread.

    A second one does not cut the cleaning up short.  What was ignored (SIGHUP under nohup) stays ignored.
    """

    def end(*_: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(1)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_tethered(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process to which the kernel sends SIGTERM once we are gone; from the main thread."""
    return subprocess.Popen(tethered(tuple(command), "same", signal.SIGTERM), **options)


def end_session(process: subprocess.Popen[bytes], wait_s: float) -> int:
    """SIGTERM, so many seconds for an orderly end, then SIGKILL for what is left of its session; its status.

    It must have been started in a session of its own.  Those whom it leaves behind have a few seconds more.
    """
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(wait_s)
        _await_session(process.pid)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _await_session(leader: int) -> None:
    """Wait until nobody of it is left, or time is over."""
    until_s = time.monotonic() + _LEFT_BEHIND_S
    while time.monotonic() < until_s:
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return
        time.sleep(_POLL_S)
