"""Waiting for what other processes do, without fixed sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import psutil


def gone_within(seconds: float, processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Wait until all have ended; the ones that still run after that time.  One not yet reaped counts as ended."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until the condition holds; raises TimeoutError when it never does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.01)


async def eventually(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    """The same for a condition that has to be asked for; raises TimeoutError when it never holds."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.02)
