"""Waits until a stack is quiet: nothing to resolve or to tell, nothing new here or in the simulators' books."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

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
        return seen.open == 0
    while time.monotonic() < deadline:
        await asyncio.sleep(min(_LOOK_S, max(0.0, deadline - time.monotonic())))
        now = await _look(connection, simulators)
        if now == seen and now.open == now.due == 0:
            return True
        seen = now
    return False


class _Sight(NamedTuple):
    """What a look saw: open tasks, news that are due now here or at the simulators, and what is newest."""

    open: int
    due: int
    newest: str | None
    trades: tuple[dict[str, int], ...]


async def _look(connection: asyncpg.Connection, simulators: Sequence[SimulatorBooks]) -> _Sight:
    ours = await database.stirring(connection)
    health = [await books.health() for books in simulators]
    due = ours.due + sum([each.due for each in health])
    return _Sight(ours.open, due, ours.newest, tuple([each.trades for each in health]))
