"""Which slice to draw from where Valkey cannot say: by what PostgreSQL has left, a tenth of a second old at most."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from datetime import date
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from promotions.budget.gathering import Free, gather, roominess
from promotions.budget.loading import Room, rooms_of
from promotions.budget.reservation import Draw

_AGE_S_MAX: Final = 0.1
_SCARCE_AGE_S_MAX: Final = 0.01
_SCARCE_DRAWS: Final = 100
"""A slice with less than so many draws left is looked up more often."""

_log: Final = logging.getLogger("mashang.pool")


class Authority:
    """What PostgreSQL has left by campaign and day, less what this process chose since it looked."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._rooms: dict[tuple[str, date], tuple[float, dict[int, Room]]] = {}
        self._looking: dict[tuple[str, date], asyncio.Task[dict[int, Room]]] = {}

    async def choose(self, draw: Draw, own: int) -> int | None:
        """A slice that has enough left, `own` if it has; None where the campaign has not.

        Where PostgreSQL knows of no slice, or does not answer, it is `own`: the guard of the intent decides.
        """
        if draw.slices == 1:
            return own
        try:
            return await self._choose(draw, own)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("the slices could not be read", extra={"error": type(error).__name__})
            return own

    def forget(self, campaign_id: str, day: date) -> None:
        """What was read of that day is known to be wrong."""
        self._rooms.pop((campaign_id, day), None)

    async def _choose(self, draw: Draw, own: int) -> int | None:
        rooms = await self._recent(draw)
        number = self._take(rooms, draw, own)
        if number is None and rooms:
            rooms = await self._look(draw)
            number = self._take(rooms, draw, own)
        if number is not None or not rooms:
            return own if number is None else number
        self.forget(draw.campaign_id, draw.day)
        return await gather(self._pool, [Free(room) for room in rooms.values()], draw.fen)

    async def _recent(self, draw: Draw) -> dict[int, Room]:
        looked_at, rooms = self._rooms.get((draw.campaign_id, draw.day), (float("-inf"), {}))
        is_scarce = any(not room.fits(_SCARCE_DRAWS * draw.fen) for room in rooms.values())
        age_s_max = _SCARCE_AGE_S_MAX if is_scarce else _AGE_S_MAX
        return rooms if time.monotonic() < looked_at + age_s_max else await self._look(draw)

    async def _look(self, draw: Draw) -> dict[int, Room]:
        """Read, together with whoever reads the same now."""
        key = (draw.campaign_id, draw.day)
        looking = self._looking.get(key)
        if looking is None:
            looking = self._looking[key] = asyncio.create_task(self._read(draw))
            looking.add_done_callback(lambda _: self._looking.pop(key, None))
        return await asyncio.shield(looking)

    async def _read(self, draw: Draw) -> dict[int, Room]:
        began = time.monotonic()
        rooms = {room.slice.number: room for room in await rooms_of(self._pool, draw.campaign_id, draw.day)}
        self._forget_old(began)
        self._rooms[draw.campaign_id, draw.day] = (began, rooms)
        return rooms

    def _forget_old(self, now: float) -> None:
        while self._rooms and next(iter(self._rooms.values()))[0] < now - 10 * _AGE_S_MAX:
            del self._rooms[next(iter(self._rooms))]

    @staticmethod
    def _take(rooms: dict[int, Room], draw: Draw, own: int) -> int | None:
        fitting = [room for room in rooms.values() if room.fits(draw.fen)]
        if not fitting:
            return None
        mine = rooms.get(own)
        chosen = mine if mine in fitting and mine is not None else max(fitting, key=roominess)
        rooms[chosen.slice.number] = replace(
            chosen,
            fen=None if chosen.fen is None else chosen.fen - draw.fen,
            count=None if chosen.count is None else chosen.count - 1,
        )
        return chosen.slice.number
