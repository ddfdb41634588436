"""Waits until a stack is quiet: nothing to resolve, nothing new in PostgreSQL or in the simulators' books."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import asyncpg

from gateway.audit import database
from gateway.audit.simulators import SimulatorBooks

_LOOK_S: Final = 1.0
"""Two looks this far apart that see the same make a quiet stack."""


async def wait_until_quiet(
    connection: asyncpg.Connection, simulators: Sequence[SimulatorBooks], within_s: float
) -> bool:
    """True once it is quiet; False where it is not within that time (0: look only whether anything is open)."""
    deadline = time.monotonic() + within_s
    seen = await _look(connection, simulators)
    if not within_s:
        return seen[0] == 0
    while time.monotonic() < deadline:
        await asyncio.sleep(min(_LOOK_S, max(0.0, deadline - time.monotonic())))
        now = await _look(connection, simulators)
        if now == seen and now[0] == 0:
            return True
        seen = now
    return False


async def _look(
    connection: asyncpg.Connection, simulators: Sequence[SimulatorBooks]
) -> tuple[int, str | None, tuple[dict[str, int], ...]]:
    open_tasks, newest = await database.stirring(connection)
    return open_tasks, newest, tuple([await books.counts() for books in simulators])
