"""Moves what is free in all slices of a campaign's day into one of them, for a draw that none can give by itself.

Free is what PostgreSQL has left and no payment under way has reserved, so nobody who was told yes is refused for it.
The sum of the grants stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from promotions.budget.loading import SQL, Room


@dataclass(frozen=True, slots=True)
class Free:
    """What is free in a slice, and how much more than that PostgreSQL has left: reserved by payments under way."""

    room: Room
    reserved_fen: int = 0
    reserved_count: int = 0


@dataclass(frozen=True, slots=True)
class _Move:
    """A change of one slice's grants."""

    slice: int
    fen: int
    count: int


async def gather(pool: asyncpg.Pool, free: Sequence[Free], fen: int) -> int | None:
    """Into the slice that has most; its number, where it has so many fen and one redemption then.

    `free` is what is believed to be free in each slice of one day of a campaign; under the lock it is what PostgreSQL
    has left by then, less what is reserved.  Where somebody was faster, it stays where he has put it: moved away from
    under each other's commits, it would be nobody's.
    """
    rooms = [each.room for each in free]
    if not _have(rooms, fen):
        return None
    some = rooms[0].slice
    async with pool.acquire() as connection, connection.transaction():
        held = await connection.fetch(SQL["hold_slices"], some.campaign_id, some.day)
        left = {row["slice"]: Room(some._replace(number=row["slice"]), row["left"], row["count"]) for row in held}
        now = {each.room.slice.number: _less(left[each.room.slice.number], each) for each in free}
        if not _have(list(now.values()), fen):
            return None
        roomiest = max(now.values(), key=roominess)
        target = roomiest.slice
        if roomiest.fits(fen):
            return target.number
        moves = [_Move(number, -(room.fen or 0), -(room.count or 0)) for number, room in now.items()]
        moves = [move for move in moves if move.slice != target.number]
        moves.append(_Move(target.number, -sum(move.fen for move in moves), -sum(move.count for move in moves)))
        columns = ([move.slice for move in moves], [move.fen for move in moves], [move.count for move in moves])
        await connection.execute(SQL["move"], target.campaign_id, target.day, *columns)
    return target.number


def roominess(room: Room) -> tuple[float, float]:
    """What a slice has left, comparable."""
    return (
        float("inf") if room.fen is None else room.fen,
        float("inf") if room.count is None else room.count,
    )


def _have(rooms: Sequence[Room], fen: int) -> bool:
    """Whether the slices have so much, and one redemption, together."""
    return bool(rooms) and (
        (rooms[0].fen is None or sum(room.fen or 0 for room in rooms) >= fen)
        and (rooms[0].count is None or sum(room.count or 0 for room in rooms) >= 1)
    )


def _less(room: Room, free: Free) -> Room:
    """What is left without what is reserved."""
    return Room(
        free.room.slice,
        None if room.fen is None else max(0, room.fen - free.reserved_fen),
        None if room.count is None else max(0, room.count - free.reserved_count),
    )
