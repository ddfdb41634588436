"""The last look before a campaign is said to be exhausted: what Valkey has is put right, and leftovers are gathered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import date
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.valkey import Valkey
from promotions.budget.epochs import PoolState, Trust
from promotions.budget.gathering import Free, gather, roominess
from promotions.budget.loading import Room, rooms_of
from promotions.budget.reconciling import Reconciling
from promotions.budget.reservation import Draw

_SAME_AGAIN_S: Final = 0.5
"""What was found to be exhausted is not looked into again for so long; a reconciliation or a top-up that reaches Valkey
is felt at once all the same, for Valkey is asked first."""
_TRIES: Final = 3
"""Slices that payments change meanwhile are not put right: again then."""
_KEPT_MAX: Final = 20_000

_log: Final = logging.getLogger("mashang.pool")


class Undecided(Exception):
    """PostgreSQL did not say whether there is any left."""


class Scarcity:
    """One per process; a campaign's day is looked into once for all who find it empty."""

    def __init__(self, pool: asyncpg.Pool, valkey: Valkey, trust: Trust) -> None:
        self._pool = pool
        self._trust = trust
        self._reconciling = Reconciling(pool, valkey)
        self._empty: dict[tuple[str, date], tuple[float, int]] = {}
        self._looking: dict[tuple[str, date, int], asyncio.Task[int | None]] = {}

    def knows_of_none(self, draw: Draw) -> bool:
        """Whether the last look, not long ago, found no more than that."""
        until, fen = self._empty.get((draw.campaign_id, draw.day), (float("-inf"), 0))
        return time.monotonic() < until and draw.fen >= fen

    async def find(self, draw: Draw) -> int | None:
        """A slice that has enough left after all; together with whoever looks for the same now.

        Raises ValkeyAway, RedisError or Undecided.
        """
        key = (draw.campaign_id, draw.day, draw.fen)
        looking = self._looking.get(key)
        if looking is None:
            looking = self._looking[key] = asyncio.create_task(self._find(draw))
            looking.add_done_callback(lambda _: self._looking.pop(key, None))
        return await asyncio.shield(looking)

    async def _find(self, draw: Draw) -> int | None:
        try:
            free = await self._put_right(draw)
            number = _roomiest(free, draw.fen)
            if number is None and await gather(self._pool, free, draw.fen) is not None:
                number = _roomiest(await self._put_right(draw), draw.fen)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("an empty slice could not be looked into", extra={"error": type(error).__name__})
            raise Undecided from None
        if number is None:
            self._note_empty(draw)
        return number

    async def _put_right(self, draw: Draw) -> list[Free]:
        """What each slice has left in Valkey once it is put right."""
        state = PoolState(self._trust.epoch, self._trust.generation)
        rooms = {room.slice: room for room in await rooms_of(self._pool, draw.campaign_id, draw.day)}
        for _ in range(_TRIES):
            if not rooms or await self._reconciling.reconcile(state, list(rooms)):
                break
        return [_free(room, rooms[room.slice]) for room in await self._reconciling.left(state.epoch, rooms)]

    def _note_empty(self, draw: Draw) -> None:
        if len(self._empty) > _KEPT_MAX:
            self._empty.clear()
        self._empty[draw.campaign_id, draw.day] = (time.monotonic() + _SAME_AGAIN_S, draw.fen)


def _free(in_valkey: Room, in_database: Room) -> Free:
    """PostgreSQL was read first: what is reserved is, if anything, too much."""
    return Free(
        in_valkey,
        max(0, (in_database.fen or 0) - (in_valkey.fen or 0)),
        max(0, (in_database.count or 0) - (in_valkey.count or 0)),
    )


def _roomiest(free: Sequence[Free], fen: int) -> int | None:
    fitting = [each.room for each in free if each.room.fits(fen)]
    return max(fitting, key=roominess).slice.number if fitting else None
