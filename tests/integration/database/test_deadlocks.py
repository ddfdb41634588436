"""Of two requests that wait for each other PostgreSQL ends one: it is to be sent again, and no fault of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.app import _handle_errors
from gateway.database.pool import open_pool
from tests.support.looking import until_row
from tests.support.rows import settings

_WAITS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"


async def test_the_victim_of_a_deadlock_is_asked_to_try_again(database_url: str) -> None:
    chosen = settings(database_url)
    pool, app = await open_pool(chosen), FastAPI()
    _handle_errors(app, chosen)

    @app.post("/change")
    async def change() -> Any:
        async with pool.acquire() as connection, connection.transaction():
            # Whoever looks first for a deadlock is its victim; a busy machine has until then to make one.
            await connection.execute("SET LOCAL deadlock_timeout = '2s'; SET LOCAL lock_timeout = 0")
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            await connection.execute("SELECT pg_advisory_xact_lock(2)")

    async def with_id(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "mashang.request_id": "req_1"}, receive, send)

    other, looking = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(with_id), base_url="http://gateway") as client,
        other.transaction(),
    ):
        await other.execute("SET LOCAL deadlock_timeout = '60s'")
        await other.execute("SELECT pg_advisory_xact_lock(2)")
        changing = asyncio.create_task(client.post("/change"))
        await until_row(looking, _WAITS)
        await other.execute("SELECT pg_advisory_xact_lock(1)")
        answer = await changing
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    await other.close()
    await looking.close()
    await pool.close()
