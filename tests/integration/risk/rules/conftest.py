"""A pool on a database of the module's own, and somebody who writes rules there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.database.pool import open_pool
from tests.support.analyst import Analyst
from tests.support.rows import settings


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """As the service opens it."""
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def analyst(pool: asyncpg.Pool) -> Analyst:
    """Somebody who writes rules."""
    return Analyst(pool)
