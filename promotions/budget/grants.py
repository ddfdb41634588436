"""Grants of a campaign's budget to the slices of its days: Σ granted ≤ budget, and of a day ≤ the day's, always.

The functions in PostgreSQL hold the campaign's row while they grant; whoever calls them within a transaction holds it
until its end.  A day's slices are made by whoever needs them first, and what past days left over comes back then.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class SliceRoom:
    """What a slice has left; None is no limit."""

    slice: int
    fen: int | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The slice that has what was asked for (None: no slice has, nor could have), and what the whole day has left."""

    slice: int | None
    room_fen: int | None
    room_count: int | None


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


async def gather(connection: Connection | asyncpg.Pool, campaign_id: str, day: date, fen: int) -> Gathered:
    """Find a slice of the campaign's present day that has so many fen left, moving what the others have into one.

    Only looks, without a lock, where they do not have it together either.
    """
    rooms = await room(connection, campaign_id, day)
    if rooms and not _have(rooms, fen):
        return Gathered(None, _sum([each.fen for each in rooms]), _sum([each.count for each in rooms]))
    found = await connection.fetchrow(SQL["gather"], campaign_id, day, fen)
    return Gathered(None, 0, 0) if found is None else Gathered(*found)


async def room(connection: Connection | asyncpg.Pool, campaign_id: str, day: date) -> list[SliceRoom]:
    """What each slice of a day has left."""
    return [SliceRoom(*found) for found in await connection.fetch(SQL["room"], campaign_id, day)]


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


def _have(rooms: list[SliceRoom], fen: int) -> bool:
    fen_left, count_left = _sum([each.fen for each in rooms]), _sum([each.count for each in rooms])
    return (fen_left is None or fen_left >= fen) and (count_left is None or count_left > 0)


def _sum(parts: list[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
