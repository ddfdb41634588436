"""Grants of a campaign's budget to the slices of its days: Σ granted ≤ budget, and of a day ≤ the day's, always.

The functions in PostgreSQL hold the campaign's row while they grant; whoever calls them within a transaction holds it
until its end.  A day's slices are made by whoever needs them first, and what past days left over comes back then.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import asyncpg

from gateway.database.pool import Connection, named_statements

SQL: Final = named_statements("promotions.budget", "budget.sql")


class BelowSpent(Exception):
    """More was taken of the campaign than its budget (or its number) now allows."""

    def __init__(self, fen: int, count: int) -> None:
        super().__init__(f"{fen} fen, {count} redemptions")
        self.fen = fen
        self.count = count


async def ensure_day(connection: Connection | asyncpg.Pool, campaign_id: str, day: date) -> bool:
    """Grant that day where it is the campaign's present one; whether it has slices now."""
    return bool(await connection.fetchval(SQL["grant"], campaign_id, None, None) == day)


async def pace_to(connection: Connection | asyncpg.Pool, campaign_id: str, day: date, share_of_day: float) -> bool:
    """Grant that share (0 to 1) of the day's budget, more or less than before, but never less than is used.

    It holds until the next call, for that day; later days begin with an even hour.  False where the day is over.
    """
    return bool(await connection.fetchval(SQL["grant"], campaign_id, day, share_of_day) == day)


async def regrant(connection: Connection, campaign_id: str) -> None:
    """Bring today's slices to a budget that was raised (they get it at once) or lowered, in the same transaction.

    Raises BelowSpent where more was taken already: the caller rolls back.
    """
    await connection.execute(SQL["grant"], campaign_id, None, None)
    overdrawn = await connection.fetchrow(SQL["overdrawn"], campaign_id)
    if overdrawn is not None:
        raise BelowSpent(overdrawn["fen"], overdrawn["count"])


async def reclaim(pool: asyncpg.Pool) -> list[str]:
    """Bring back what past days left over, and grant the day to running campaigns that have none; whose it was.

    Each campaign is held for one statement only.
    """
    found = [row["id"] for row in await pool.fetch(SQL["to_be_granted"])]
    for campaign_id in found:
        await pool.execute(SQL["grant"], campaign_id, None, None)
    return found


async def forget_uses(connection: Connection | asyncpg.Pool) -> None:
    """Forget counters of days long past: no payment takes of them any more."""
    await connection.execute(SQL["forget_uses"])
