"""Whether PostgreSQL answers, for the probes."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN

_WITHIN_S: Final = 2.0


async def answers(pool: asyncpg.Pool) -> bool:
    """Whether it answers within two seconds."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            await pool.fetchval("SELECT 1")
    except BROKEN:
        return False
    return True
