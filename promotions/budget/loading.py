"""Puts slices into Valkey as PostgreSQL has them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import asyncpg
from redis.exceptions import RedisError

from gateway.database.batches import BROKEN
from gateway.database.pool import named_statements
from gateway.database.valkey import Valkey, ValkeyAway
from promotions.budget.asking import SCRIPTS
from promotions.budget.epochs import PoolState, Trust
from promotions.budget.lanes import Place, Places, Slice

SQL: Final = named_statements("promotions.budget", "pool.sql")
LIFETIME_S: Final = 3_600
"""Of a slice in Valkey after it was last loaded or looked at; so long do those of an earlier epoch stay."""
_SLICES_MAX: Final = 200
"""In one call of the script."""
_SAME_AGAIN_S: Final = 0.05
"""A campaign's day that was just looked up is not looked up again: it may have no slices yet."""

_log: Final = logging.getLogger("mashang.pool")


@dataclass(frozen=True, slots=True)
class Room:
    """What PostgreSQL has left in a slice; None is not limited."""

    slice: Slice
    fen: int | None
    count: int | None

    def fits(self, fen: int) -> bool:
        """Whether one more redemption of so many fen does."""
        return (self.fen is None or self.fen >= fen) and (self.count is None or self.count >= 1)


async def state_of(pool: asyncpg.Pool) -> PoolState:
    """The pool's epoch and generation."""
    row = await pool.fetchrow(SQL["state"])
    assert row is not None
    return PoolState(row["epoch"], row["generation"])


async def rooms_of(pool: asyncpg.Pool, campaign_id: str, day: date) -> list[Room]:
    """What is left of a campaign's day, by slice."""
    rows = await pool.fetch(SQL["slices"], campaign_id, day)
    return [Room(Slice(campaign_id, day, row["slice"]), row["left"], row["count"]) for row in rows]


async def load(valkey: Valkey, epoch: int, rooms: Iterable[Room], places: Places | None = None) -> int:
    """Put those slices there that are not there, lane by lane.  Returns how many.  Raises ValkeyAway or RedisError."""
    answers = await asyncio.gather(
        *(_load_part(valkey, part) for part in parts_by_lane(epoch, rooms, places or Places()))
    )
    return sum(answers)


def parts_by_lane(epoch: int, rooms: Iterable[Room], places: Places) -> list[list[tuple[Place, Room]]]:
    """The slices with their places, in parts that one call of a script can carry."""
    by_lane: dict[int, list[tuple[Place, Room]]] = {}
    for room in rooms:
        place = places.of(room.slice, epoch)
        by_lane.setdefault(place.lane, []).append((place, room))
    return [
        lane[first : first + _SLICES_MAX] for lane in by_lane.values() for first in range(0, len(lane), _SLICES_MAX)
    ]


async def _load_part(valkey: Valkey, part: Sequence[tuple[Place, Room]]) -> int:
    arguments: list[Any] = [LIFETIME_S]
    for _, room in part:
        arguments += ("" if room.fen is None else room.fen, "" if room.count is None else room.count)
    loaded: int = await valkey.script(SCRIPTS["load"], [place.key for place, _ in part], arguments)
    return loaded


class Loading:
    """Loads in the background what a payment did not find; one look-up of a campaign's day at a time."""

    def __init__(self, pool: asyncpg.Pool, valkey: Valkey, trust: Trust) -> None:
        self._pool = pool
        self._valkey = valkey
        self._trust = trust
        self._running: dict[tuple[str, date], asyncio.Task[None]] = {}

    def soon(self, campaign_id: str, day: date) -> None:
        """Load that campaign's slices, unless it is being done."""
        key = (campaign_id, day)
        if key not in self._running:
            self._running[key] = task = asyncio.create_task(self._load(campaign_id, day))
            task.add_done_callback(lambda _: self._running.pop(key, None))

    async def aclose(self) -> None:
        """Leave off."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, campaign_id: str, day: date) -> None:
        epoch = self._trust.epoch
        try:
            rooms = await rooms_of(self._pool, campaign_id, day)
            await load(self._valkey, epoch, rooms)
        except (*BROKEN, asyncpg.PostgresError, ValkeyAway, RedisError) as error:
            _log.warning("slices could not be loaded", extra={"error": type(error).__name__})
        await asyncio.sleep(_SAME_AGAIN_S)
