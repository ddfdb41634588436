"""Each look at the directory tells the database's time, changed or not."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from gateway.database.revision import RevisionWatch


async def test_each_look_tells_the_databases_time(pool: asyncpg.Pool) -> None:
    told: list[datetime] = []
    watch = RevisionWatch(pool, [], told.append)
    before = await pool.fetchval("SELECT clock_timestamp()")
    await watch.check()
    between = await pool.fetchval("SELECT clock_timestamp()")
    await watch.check()
    after = await pool.fetchval("SELECT clock_timestamp()")
    assert len(told) == 2
    assert before <= told[0] <= between <= told[1] <= after
