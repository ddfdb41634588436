"""A pool on the module's database, and a trail that begins anew for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from gateway.database.pool import open_pool
from tests.support.rows import settings


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections with the gateway's own settings."""
    opened = await open_pool(settings(database_url), size=6)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def connection(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """An empty trail, and a connection to it that may do what a trigger forbids to everybody else."""
    async with pool.acquire() as opened:
        await opened.execute("ALTER TABLE audit_trail DISABLE TRIGGER audit_trail_stays")
        await opened.execute("TRUNCATE audit_trail")
        yield opened
        await opened.execute("ALTER TABLE audit_trail ENABLE TRIGGER audit_trail_stays")
