"""How what a benchmark has started ends with it: in order on SIGTERM and SIGHUP, by the kernel where it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from gateway.processes.children import tethered

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
    """SIGTERM, so many seconds for an orderly end, then SIGKILL for its whole session; its status.

    It must have been started in a session of its own.
    """
    process.terminate()
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
