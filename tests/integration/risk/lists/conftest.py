"""A pool on the module's database, and somebody who keeps lists there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.database.pool import open_pool
from tests.support.risk_lists import Desk
from tests.support.rows import settings


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """As the service opens it."""
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def desk(pool: asyncpg.Pool) -> Desk:
    """Keeps lists."""
    return Desk(pool)
