"""A pool on the module's database, and merchants of whose customers profiles are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.database.pool import open_pool
from tests.support.rows import settings

MERCHANTS = (
    #  id        timezone          realm    region
    ("mer_1", "Asia/Shanghai", None, "310000"),
    ("mer_2", "Asia/Shanghai", None, None),
    ("mer_a", "UTC", "chain", "440000"),
    ("mer_b", "UTC", "chain", None),
)


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """With the gateway's own settings."""
    opened = await open_pool(settings(database_url))
    for merchant in MERCHANTS:
        await opened.execute(
            "INSERT INTO merchants (id, name, webhook_secret_sealed, timezone, customer_realm, region)"
            " VALUES ($1, $1, '', $2, $3, $4)",
            *merchant,
        )
    await opened.execute("INSERT INTO stores (merchant_id, store_id, region) VALUES ('mer_1', 's-1', '320000')")
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
async def nobody(pool: asyncpg.Pool) -> None:
    """Each test begins with no payment and no profile."""
    await pool.execute("TRUNCATE payments, attempts, events, transfers, order_numbers, customers, recovery_tasks")
    await pool.execute("TRUNCATE risk_profiles, risk_payers")
    await pool.execute("UPDATE risk_profiling SET followed_until = NULL")
