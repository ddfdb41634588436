"""An alarm that rings once, at the earliest of the moments that it was set for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Alarm:
    """For one event loop, by whose clock the moments are."""

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._at_s = math.inf
        self._timer: asyncio.Handle | None = None

    def by(self, at_s: float) -> None:
        """Ring by that moment."""
        if at_s < self._at_s:
            self.silence()
            self._at_s, self._timer = at_s, asyncio.get_running_loop().call_at(at_s, self._go)

    def within(self, seconds: float) -> None:
        """Ring so much later, or before."""
        self.by(asyncio.get_running_loop().time() + seconds)

    def silence(self) -> None:
        """Ring no more, until it is set again."""
        if self._timer is not None:
            self._timer.cancel()
        self._at_s, self._timer = math.inf, None

    def _go(self) -> None:
        self._at_s, self._timer = math.inf, None
        self._ring()
