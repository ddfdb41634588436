"""Compiles the parts of lists whose entries have changed, and sweeps what no longer counts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import asyncpg

from gateway.database.pool import Connection
from risk.lists.book import PART_SHIFT, SQL
from risk.lists.entry import NUMBERS

_PARTS_AT_ONCE: Final = 16
"""In one statement: of a list of ten million entries some 40,000 rows, so that a step ends soon after its time."""
_PART_BITS: Final = 16
_SWEPT_AT_ONCE: Final = 5_000
_SWEEP_S_MAX: Final = 1.0
"""Of one round, so that the worker's other chores have their turn."""
_ABANDONED_AFTER: Final = timedelta(days=7)


async def compile_these(connection: Connection, edition: int, keys: Iterable[tuple[str, int]]) -> None:
    """Compile the parts of these entries (field and hash) of a list that is held, and let all processes know.

    What an import has left stale stays so: it compiles at its end.
    """
    parts = {(NUMBERS[field] << _PART_BITS) + (hash_ >> PART_SHIFT) for field, hash_ in keys}
    while await connection.fetchval(SQL["compile"], edition, _PARTS_AT_ONCE, list(parts)):
        pass
    await tell(connection, edition)


async def compile_some(connection: Connection, edition: int) -> int:
    """Compile a bounded number of stale parts; how many that were.  Processes do not know yet (tell)."""
    compiled: int = await connection.fetchval(SQL["compile"], edition, _PARTS_AT_ONCE, None)
    return compiled


async def tell(connection: Connection, edition: int) -> None:
    """Let all processes fetch what was compiled, once this is committed.  Every other change waits until then."""
    await connection.execute(SQL["raise_revision"], edition)


async def keep_lists(pool: asyncpg.Pool) -> None:
    """Sweep expired entries, compile what an import left stale, drop what was replaced, for a second at most."""
    until_s = time.monotonic() + _SWEEP_S_MAX
    await pool.execute(SQL["abandon_old"], _ABANDONED_AFTER)
    for record in await pool.fetch(SQL["in_force"]):
        while time.monotonic() < until_s and await _sweep_some(pool, record["name"]):
            pass
    for record in await pool.fetch(SQL["dead_editions"]):
        while time.monotonic() < until_s and await _drop_some(pool, record["id"]):
            pass


async def _sweep_some(pool: asyncpg.Pool, name: str) -> bool:
    """Sweep or compile a bounded number; whether there may be more."""
    async with pool.acquire() as connection, connection.transaction():
        held = await connection.fetchrow(SQL["hold"], [name])
        if held is None:
            return False
        if await connection.fetchval(SQL["sweep_expired"], held["edition"], _SWEPT_AT_ONCE) == _SWEPT_AT_ONCE:
            return True
        if await connection.fetchval(SQL["open_import"], name) is not None:
            return False  # it compiles once, at its end
        compiled = await compile_some(connection, held["edition"])
        if compiled:
            await tell(connection, held["edition"])
        return compiled == _PARTS_AT_ONCE


async def _drop_some(pool: asyncpg.Pool, edition: int) -> bool:
    """Drop some of an edition that is nobody's; whether there is more of it."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(SQL["take_edition"], edition) is None:
            return False
        if await connection.fetchval(SQL["sweep_edition"], edition, _SWEPT_AT_ONCE):
            return True
        for statement in ("forget_parts", "forget_stale", "forget_edition"):
            await connection.execute(SQL[statement], edition)
    return False
