"""A connection to a database without the constraints that would refuse some of the errors to be planted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The module's database."""
    connection = await asyncpg.connect(database_url)
    try:
        for constraint in await connection.fetch(
            "SELECT conrelid::regclass AS table, conname AS name FROM pg_constraint WHERE contype = 'c' AND ("
            "conrelid IN ('refunds'::regclass, 'campaign_slices'::regclass, 'campaign_uses'::regclass)"
            " OR conrelid = 'payments'::regclass"
            " AND pg_get_constraintdef(oid) LIKE '%refund%')"
        ):
            await connection.execute(f"ALTER TABLE {constraint['table']} DROP CONSTRAINT {constraint['name']}")
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages so small that every book has several."""
    monkeypatch.setattr("gateway.audit.database.PAGE", 3)
    monkeypatch.setattr("gateway.audit.simulators.PAGE", 2)
    monkeypatch.setattr("gateway.audit.clientlog._CHUNK", 4)
