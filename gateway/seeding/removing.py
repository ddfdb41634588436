"""Takes a seed out again: at once where nothing else stands in the database, else chunk by chunk."""

from __future__ import annotations

import asyncpg

from gateway.seeding.filling import SQL, TABLES, Progress
from gateway.seeding.marks import SEEDED_MERCHANTS
from gateway.seeding.plan import Plan


async def remove(connection: asyncpg.Connection, plan: Plan, progress: Progress) -> None:
    """Remove the payments, then the merchants and the plan.  A killed removal goes on where it was."""
    if await _is_emptied(connection):
        progress(plan.payments)
    else:
        for row in await connection.fetch(SQL["ranges"]):
            await _remove_chunk(connection, plan, row["first"], row["last"])
            progress(row["last"] - row["first"] + 1)
    async with connection.transaction():
        await connection.execute(SQL["remove_merchants"], SEEDED_MERCHANTS)
        await connection.execute("DROP SCHEMA seeding CASCADE")


async def _is_emptied(connection: asyncpg.Connection) -> bool:
    """Empty all the tables, unless somebody else's numbers stand there; looked at when nobody can take one any more."""
    if await connection.fetchval(SQL["strangers"], SEEDED_MERCHANTS):
        return False
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
        if await connection.fetchval(SQL["strangers"], SEEDED_MERCHANTS):
            return False
        await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
    return True


async def _remove_chunk(connection: asyncpg.Connection, plan: Plan, first: int, last: int) -> None:
    async with connection.transaction():
        await connection.execute(SQL["by_keys"])
        await connection.execute(
            SQL["remove_chunk"], first, plan.first_ms(first), plan.first_ms(last + 1), SEEDED_MERCHANTS
        )
