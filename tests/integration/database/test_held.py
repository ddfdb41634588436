"""A connection that is held between statements: given back when it has failed, and when the pool is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.database.batches import BROKEN
from gateway.database.held import HeldConnection
from gateway.database.pool import BoundedPool, open_pool
from tests.support.looking import until_row
from tests.support.rows import settings

_PID = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[BoundedPool]:
    opened = await open_pool(settings(database_url, "redis://nobody"), size=2)
    yield opened
    opened.terminate()


async def pid(sender: HeldConnection) -> int:
    found: int = (await sender.fetch(_PID))[0]["pid"]
    return found


async def test_it_keeps_its_connection_and_leaves_the_others(pool: BoundedPool) -> None:
    held = pool.held()
    own = await pid(held)
    assert [await pid(held) for _ in range(3)] == [own] * 3
    assert await pool.fetchval(_PID) != own


async def test_a_second_statement_at_the_same_time_goes_over_another_one(pool: BoundedPool) -> None:
    held = pool.held()
    first, second = await asyncio.gather(held.fetch("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)"), held.fetch(_PID))
    assert first[0]["pid"] != second[0]["pid"]


async def test_a_refused_statement_costs_no_connection(pool: BoundedPool) -> None:
    held = pool.held()
    own = await pid(held)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await held.fetch("SELECT 1 / $1::int", 0)
    assert await pid(held) == own


async def test_after_the_server_has_cut_off_a_statement_there_is_another_connection(pool: BoundedPool) -> None:
    held = pool.held()
    own = await pid(held)
    under_way = asyncio.create_task(held.fetch("SELECT pg_sleep(30)"))
    await until_row(pool, "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'", own)
    await pool.execute("SELECT pg_terminate_backend($1)", own)
    with pytest.raises(BROKEN):
        await under_way
    assert await pid(held) != own


async def test_who_was_cut_off_while_he_rested_sends_his_next_statement_over_another_one(pool: BoundedPool) -> None:
    held = pool.held()
    own = await pid(held)
    ended = asyncio.Event()
    assert held._connection is not None
    held._connection.add_termination_listener(lambda _connection: ended.set())
    await pool.execute("SELECT pg_terminate_backend($1)", own)
    async with asyncio.timeout(10):
        await ended.wait()
    assert await pid(held) != own


async def test_a_statement_that_is_cut_short_gives_it_back(pool: BoundedPool) -> None:
    held = pool.held()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await held.fetch("SELECT pg_sleep(30)")
    async with asyncio.timeout(10):
        assert await held.fetch(_PID)
        assert pool.get_size() <= 2


async def test_closing_the_pool_waits_for_the_statement_under_way_and_for_nothing_else(pool: BoundedPool) -> None:
    busy, idle = pool.held(), pool.held()
    await pid(idle)
    under_way = asyncio.create_task(busy.fetch("SELECT 7 AS n, pg_sleep(0.2)"))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        await pool.close()
    assert (await under_way)[0]["n"] == 7
    with pytest.raises(asyncpg.InterfaceError):
        await busy.fetch(_PID)
