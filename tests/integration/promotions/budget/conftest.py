"""A pool on the module's database and an empty Valkey database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.database.pool import open_pool
from tests.support.pool_town import PoolTown
from tests.support.rows import settings
from tests.support.servers import TestServers


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Six connections with the gateway's own settings."""
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture
async def town(pool: asyncpg.Pool, servers: TestServers) -> AsyncIterator[PoolTown]:
    """One heartbeat has been there."""
    town = await PoolTown.found(pool, servers.empty_redis())
    await town.beat()
    yield town
    await town.aclose()
