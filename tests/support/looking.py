"""Looks straight into the database of a running stack, and lets a payment's time run out without waiting for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg


async def payment_row(database: asyncpg.Connection, payment_id: str) -> asyncpg.Record:
    """The payment's row."""
    row = await database.fetchrow("SELECT * FROM payments WHERE id = $1", payment_id)
    assert row is not None
    return row


async def attempts_of(database: asyncpg.Connection, payment_id: str) -> Sequence[asyncpg.Record]:
    """Its attempts, in order."""
    return await database.fetch("SELECT * FROM attempts WHERE payment_id = $1 ORDER BY seq", payment_id)


async def events_of(database: asyncpg.Connection, payment_id: str) -> Sequence[asyncpg.Record]:
    """Its events, in order."""
    return await database.fetch("SELECT * FROM events WHERE payment_id = $1 ORDER BY seq", payment_id)


async def expire(database: asyncpg.Connection, payment_id: str) -> None:
    """The payment's time is over now, and the worker looks at it at once."""
    await database.execute("UPDATE payments SET expires_at = now() WHERE id = $1", payment_id)
    await look_now(database, payment_id)


async def look_now(database: asyncpg.Connection, payment_id: str) -> None:
    """Whatever the worker has put off for this payment is due now."""
    await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", payment_id)


async def until_row(
    database: asyncpg.Connection | asyncpg.Pool, query: str, *arguments: Any, timeout_s: float = 20
) -> None:
    """Wait until the query finds a row."""
    deadline = time.monotonic() + timeout_s
    while await database.fetchrow(query, *arguments) is None:
        assert time.monotonic() < deadline, f"never found: {query} {arguments}"
        await asyncio.sleep(0.01)


async def until_count(
    database: asyncpg.Connection, count: int, query: str, *arguments: Any, timeout_s: float = 20
) -> None:
    """Wait until the query counts so many."""
    deadline = time.monotonic() + timeout_s
    while (found := await database.fetchval(query, *arguments)) != count:
        assert time.monotonic() < deadline, f"{found} instead of {count}: {query} {arguments}"
        await asyncio.sleep(0.01)
