"""What is left of the budgets that an offer would draw from, as PostgreSQL has it; nothing is reserved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN, database_away
from gateway.database.pool import named_statements
from promotions.offer import Applied

SQL: Final = named_statements("gateway.quotes", "statements.sql")


async def first_exhausted(pool: asyncpg.Pool, applied: Sequence[Applied]) -> Applied | None:
    """The first that its campaign's budget or number has no room for.  Raises Unavailable without the database."""
    limited = [each for each in applied if each.campaign.limits.has_slices]
    if not limited:
        return None
    try:
        records = await pool.fetch(SQL["rooms"], [each.campaign.id for each in limited], [each.day for each in limited])
    except BROKEN:
        raise database_away() from None
    rooms = {record["id"]: record for record in records}
    return next((each for each in limited if not _has_room(each, rooms.get(each.campaign.id))), None)


def _has_room(applied: Applied, room: asyncpg.Record | None) -> bool:
    if room is None:
        return False
    is_enough = room["fen"] is None or room["fen"] >= applied.taken_fen
    return is_enough and (room["count"] is None or room["count"] > 0)
