"""Ctrl-C and its kin: the first asks for an orderly stop, the second for a quick one."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable
from typing import Final, TypeVar

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Result = TypeVar("_Result")


def end_at_sigterm() -> None:
    """For a command that has no orderly stop of its own: its blocks are left, and the process ends with 143.

    The kernel gives a container's first process no default for SIGTERM: it would work on until it is killed.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


class Interrupted(Exception):
    """A stop was asked for while something was still being waited for."""


class Interrupts:
    """The two requests as events; `install` in the running loop of the main thread."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()

    def install(self) -> None:
        """Take the signals over."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._received)

    async def guard(self, work: Awaitable[_Result]) -> _Result:
        """Await the work, but give it up when a stop is asked for.  Raises Interrupted."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Interrupted
            return task.result()
        finally:
            for pending in (task, stopping):
                pending.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)

    def _received(self) -> None:
        if self.stop.is_set():
            self.hurry.set()
        self.stop.set()
