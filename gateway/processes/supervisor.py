"""Keeps children running: restarts what died within a second, slows down for what cannot live, stops all in order."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gateway.processes.children import Child, describe_end
from gateway.processes.errors import log_tail

_POLL_S: Final = 0.1
_QUICK_DEATH_S: Final = 3.0
_QUICK_DEATHS_FREE: Final = 4
_PAUSE_S_FIRST: Final = 0.5
_PAUSE_S_MAX: Final = 10.0


def pause_before_restart_s(quick_deaths: int) -> float:
    """No pause for the first quick deaths in a row, then 0.5 s doubling up to 10 s."""
    excess = quick_deaths - _QUICK_DEATHS_FREE
    return 0.0 if excess <= 0 else min(_PAUSE_S_FIRST * 2 ** min(excess - 1, 10), _PAUSE_S_MAX)


@dataclass(slots=True)
class _Watched:
    child: Child
    started_at: float
    quick_deaths: int = 0
    restart_at: float | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom to tell: a line for the person at the terminal, the process id that died, that one was started again."""

    say: Callable[[str], None]
    died: Callable[[int], None]
    restarted: Callable[[], None]


class Supervisor:
    """Watches children in one event loop, in the main thread (the tether is to the thread that forks)."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._watched: list[_Watched] = []

    def keep(self, child: Child) -> None:
        """Keep a started child running from now on."""
        self._watched.append(_Watched(child, time.monotonic()))

    async def watch(self) -> None:
        """Restart what dies, until cancelled."""
        while True:
            for watched in self._watched:
                self._look_after(watched)
            await asyncio.sleep(_POLL_S)

    def _look_after(self, watched: _Watched) -> None:
        now = time.monotonic()
        if watched.child.running:
            return
        if watched.restart_at is None:
            self._note_death(watched, now)
        if watched.restart_at is not None and now >= watched.restart_at:
            watched.restart_at = None
            watched.started_at = now
            watched.child.start()
            self._hooks.restarted()

    def _note_death(self, watched: _Watched, now: float) -> None:
        child = watched.child
        quick = now - watched.started_at < _QUICK_DEATH_S
        watched.quick_deaths = watched.quick_deaths + 1 if quick else 0
        pause_s = pause_before_restart_s(watched.quick_deaths)
        watched.restart_at = now + pause_s
        self._hooks.died(child.pid)
        self._hooks.say(f"{child.command.name} (process {child.pid}) {describe_end(child.exit_status)}; restarting it")
        if pause_s:
            self._hooks.say(
                f"{child.command.name} died {watched.quick_deaths} times in a row soon after its start; trying "
                f"again in {pause_s:.1f} s{log_tail(child.command.log)}"
            )


async def stop_together(children: Sequence[Child], drain_s: float, hurry: asyncio.Event) -> None:
    """Ask all to finish (SIGTERM), wait up to `drain_s` or until told to hurry, then kill what is left."""
    for child in children:
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + drain_s
    while any(child.running for child in children) and time.monotonic() < deadline:
        with suppress(TimeoutError):
            await asyncio.wait_for(hurry.wait(), _POLL_S / 4)
            break
    for child in children:
        child.stop(timeout_s=5)
