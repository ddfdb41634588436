"""A timer that is set again and again and hardly ever goes off, for one thing that is waited for at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_NEVER: Final = float("inf")


def _nothing() -> None:
    """What is called once it is closed."""


class LazyTimer:
    """Setting and clearing it only notes a moment: one timer of the event loop runs on, and looks at the note.

    A timer of the event loop for each answer waited for would be made, sorted in among all others and taken out again.
    """

    __slots__ = ("_call", "_due_s", "_handle", "_loop", "_rings_s")

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._due_s = _NEVER
        self._handle: asyncio.TimerHandle | None = None
        self._rings_s = _NEVER
        """When the loop's timer looks at the note."""

    def set(self, seconds: float) -> None:
        """Call once, so many seconds from now, unless it is set anew or cleared before."""
        self._due_s = due_s = time.monotonic() + seconds
        if due_s < self._rings_s:
            self._ring_at(due_s, seconds)

    def clear(self) -> None:
        """Call nothing."""
        self._due_s = _NEVER

    def close(self) -> None:
        """Call nothing, and leave nothing with the event loop; nor hold whom it would call."""
        self._due_s = self._rings_s = _NEVER
        self._call = _nothing
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring_at(self, moment_s: float, seconds: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._rings_s = moment_s
        self._handle = self._loop.call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._handle, self._rings_s = None, _NEVER
        left_s = self._due_s - time.monotonic()
        if left_s == _NEVER:
            return
        if left_s > 0.0:
            self._ring_at(self._due_s, left_s)
        else:
            self._due_s = _NEVER
            self._call()
