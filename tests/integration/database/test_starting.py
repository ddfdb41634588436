"""A process that starts while its database is cut off waits for it, for a while."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.database.batches import BROKEN
from gateway.database.starting import once_there


async def test_a_cut_connection_is_tried_again_until_the_database_answers(pool: asyncpg.Pool) -> None:
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        async with pool.acquire() as connection:
            if asked < 3:
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            found: int = await connection.fetchval("SELECT 1")
            return found

    assert await once_there(ask) == 1
    assert asked == 3


async def test_a_database_that_stays_away_is_told_of() -> None:
    with pytest.raises(BROKEN):
        await once_there(lambda: asyncpg.connect("postgresql://127.0.0.1:9/nowhere"), within_s=0.5)


async def test_what_is_wrong_with_the_question_is_told_at_once(pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await once_there(lambda: pool.fetchval("SELECT * FROM nowhere"))
