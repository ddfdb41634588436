"""Virtual time: what happens next, in order; and processes written as generators that yield what they wait for."""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

Resume: TypeAlias = Callable[[], None]
Wait: TypeAlias = Callable[[Resume], None]
"""Something to wait for: it is given what to call when it is over."""
Steps: TypeAlias = Generator[Wait, None, None]
"""One thing after another: a payment on its way."""


class Simulation:
    """A heap of moments.  Two at the same time come in the order in which they were set, so a seed repeats a run."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Resume]] = []
        self._number = count()

    def after(self, delay_s: float, then: Resume) -> None:
        """Call it so many seconds from now."""
        heappush(self._due, (self.now_s + delay_s, next(self._number), then))

    def run_until(self, end_s: float) -> None:
        """Let everything happen that is due until then."""
        due = self._due
        while due and due[0][0] <= end_s:
            self.now_s, _, then = heappop(due)
            then()
        self.now_s = end_s

    def pause(self, seconds: float) -> Wait:
        """Wait so long."""
        return lambda resume: self.after(seconds, resume)

    def start(self, steps: Steps) -> None:
        """Begin a process; it goes from one wait to the next until it ends."""

        def go_on() -> None:
            wait = next(steps, None)
            if wait is not None:
                wait(go_on)

        go_on()
