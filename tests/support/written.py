"""How many rows a request has left behind, so that a test can say: nothing was written."""

from __future__ import annotations

from typing import Final

import asyncpg

_TABLES: Final = (
    "payments",
    "order_numbers",
    "idempotency_keys",
    "attempts",
    "events",
    "transfers",
    "refunds",
    "refund_numbers",
    "refund_keys",
    "merchants",
    "api_keys",
)


async def written(database: asyncpg.Connection) -> dict[str, int]:
    """Rows by table."""
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in _TABLES)
    row = await database.fetchrow(f"SELECT {counts}")
    assert row is not None
    return dict(row)
