"""Puts slices in Valkey right by PostgreSQL: what is held is no reservation, what expired is left again.

A slice is read in Valkey, then in PostgreSQL, and written where nothing happened in between.  A reservation expires by
generations, so by no clock, and only where no intent of its payment is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

import asyncpg
from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from promotions.budget.asking import SCRIPTS
from promotions.budget.epochs import PoolState
from promotions.budget.lanes import Place, Places, Slice
from promotions.budget.loading import LIFETIME_S, SQL, Room, load, parts_by_lane

LIVES_GENERATIONS: Final = 30
"""After so many seconds an intent is durable or never will be: a payment gives up before, and PostgreSQL guards it."""
_LATE_GENERATIONS: Final = 3
_AT_ONCE_MAX: Final = 500
"""Slices that are read in full at a time."""


class Standing(StrEnum):
    """What a reservation is (reconcile.lua)."""

    HELD = "held"
    EXPIRED = "expired"
    OPEN = "open"


class Open(NamedTuple):
    """A reservation as it stands in Valkey."""

    order_key: bytes
    raw: bytes
    fen: int
    generation: int
    owner: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A slice as it stands in Valkey; `left` and `count` are empty where not limited."""

    left: bytes
    count: bytes
    open: tuple[Open, ...]

    @classmethod
    def of(cls, fields: Mapping[bytes, bytes]) -> Kept:
        """Read a hash."""
        reservations = [_open(name[1:], raw) for name, raw in fields.items() if name.startswith(b"o")]
        return cls(fields.get(b"left", b""), fields.get(b"count", b""), tuple(reservations))


@dataclass(slots=True)
class Tally:
    """What a round found.  `late_fen` is reserved by payments that ought to have gone on long ago: stranded until
    they expire; `differences` counts slices that were put right; `untold` those whose server did not answer."""

    slices: int = 0
    untold: int = 0
    loaded: int = 0
    differences: int = 0
    expired: int = 0
    late_fen: int = 0


@dataclass(frozen=True, slots=True)
class Reconciling:
    """Slices of one epoch, as PostgreSQL and Valkey have them."""

    pool: asyncpg.Pool
    valkey: Valkey
    places: Places = field(default_factory=Places)

    async def reconcile_present(self, state: PoolState) -> Tally:
        """Every slice of today that can be drawn from: loaded where it is not there, put right where it differs."""
        rooms = [room_of(row) for row in await self.pool.fetch(SQL["present_slices"])]
        tally = Tally(slices=len(rooms))
        found = await self._survey(state.epoch, rooms)
        tally.untold = len(rooms) - len(found)
        missing = [room for room in rooms if found.get(room.slice, _NOT_TOLD) is None]
        tally.loaded = await load(self.valkey, state.epoch, missing, self.places)
        differing = [room.slice for room in rooms if _differs(room, found.get(room.slice))]
        for first in range(0, len(differing), _AT_ONCE_MAX):
            await self.reconcile(state, differing[first : first + _AT_ONCE_MAX], tally)
        return tally

    async def left(self, epoch: int, slices: Iterable[Slice]) -> list[Room]:
        """What the slices have left in Valkey, those that are there."""
        found = await self._survey(epoch, [Room(each, None, None) for each in slices])
        return [
            Room(each, int(told[0]) if told[0] else None, int(told[1]) if told[1] else None)
            for each, told in found.items()
            if told is not None
        ]

    async def reconcile(self, state: PoolState, slices: Sequence[Slice], tally: Tally | None = None) -> bool:
        """Put these slices right; whether none was changed meanwhile.  Raises ValkeyAway or RedisError."""
        tally = tally or Tally()
        places = [self.places.of(each, state.epoch) for each in slices]
        hashes = await asyncio.gather(*(self.valkey.call("HGETALL", place.key) for place in places))
        kept = [Kept.of(fields) if fields else None for fields in hashes]
        rooms, held = await self._authority(slices, [open_.owner for each in kept if each for open_ in each.open])
        by_slice = {room.slice: room for room in rooms}
        put_right = await asyncio.gather(
            *(
                self._put_right(place, each, by_slice[of], _standings(of, each, held, state, tally), tally)
                for of, place, each in zip(slices, places, kept, strict=True)
                if each is not None and of in by_slice
            )
        )
        return all(put_right)

    async def _authority(
        self, slices: Sequence[Slice], owners: Sequence[str]
    ) -> tuple[list[Room], set[tuple[str, str]]]:
        """What is left of the slices, and which (payment, campaign) are held, at one moment of PostgreSQL's."""
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            rows = await connection.fetch(SQL["rooms"], *(list(column) for column in zip(*slices, strict=True)))
            holders = []
            if owners:
                holders = await connection.fetch(SQL["holders"], list(owners), min(owners), max(owners))
        return [room_of(row) for row in rows], {(row["payment_id"], row["campaign_id"]) for row in holders}

    async def _put_right(
        self, place: Place, kept: Kept, room: Room, standings: Sequence[tuple[Open, Standing]], tally: Tally
    ) -> bool:
        still_open = [reservation.fen for reservation, standing in standings if standing is Standing.OPEN]
        left = "" if room.fen is None else max(0, room.fen - sum(still_open))
        count = "" if room.count is None else max(0, room.count - len(still_open))
        differs = (kept.left, kept.count) != (_raw(left), _raw(count))
        if not differs and len(still_open) == len(standings):
            return True
        arguments: list[Any] = [kept.left, kept.count, left, count]
        for reservation, standing in standings:
            arguments += (reservation.order_key, reservation.raw, standing.value)
        is_right: int = await self.valkey.script(SCRIPTS["reconcile"], [place.key], arguments)
        tally.differences += is_right and differs
        return is_right == 1

    async def _survey(self, epoch: int, rooms: Iterable[Room]) -> dict[Slice, tuple[bytes, bytes, int] | None]:
        """Fen and number left and open reservations by slice; None where it is not there.  Lanes away are left out."""
        parts = parts_by_lane(epoch, rooms, self.places)
        surveys = await asyncio.gather(*(self._survey_part(part) for part in parts))
        return {
            room.slice: None if each is None else (each[0], each[1], each[2])
            for part, survey in zip(parts, surveys, strict=True)
            for (_, room), each in zip(part, survey, strict=False)
        }

    async def _survey_part(self, part: Sequence[tuple[Place, Room]]) -> Sequence[Any]:
        try:
            found: Sequence[Any] = await self.valkey.script(
                SCRIPTS["survey"], [place.key for place, _ in part], [LIFETIME_S]
            )
        except (ValkeyAway, RedisError):
            return ()
        return found


_NOT_TOLD: Final = (b"", b"", 0)


def room_of(row: Any) -> Room:
    """What a row of campaign_slices has left."""
    return Room(Slice(row["campaign_id"], row["day"], row["slice"]), row["left"], row["count"])


def _standings(
    of: Slice, kept: Kept, held: set[tuple[str, str]], state: PoolState, tally: Tally
) -> list[tuple[Open, Standing]]:
    found = []
    for reservation in kept.open:
        age = state.generation - reservation.generation
        if (reservation.owner, of.campaign_id) in held:
            standing = Standing.HELD
        elif age > LIVES_GENERATIONS:
            standing = Standing.EXPIRED
            tally.expired += 1
        else:
            standing = Standing.OPEN
            tally.late_fen += reservation.fen if age > _LATE_GENERATIONS else 0
        found.append((reservation, standing))
    return found


def _differs(room: Room, found: tuple[bytes, bytes, int] | None) -> bool:
    return found is not None and found != (
        _raw("" if room.fen is None else room.fen),
        _raw("" if room.count is None else room.count),
        0,
    )


def _raw(amount: int | str) -> bytes:
    return str(amount).encode()


def _open(order_key: bytes, raw: bytes) -> Open:
    fen, generation, owner = raw.split(b":", 2)
    return Open(order_key, raw, int(fen), int(generation), owner.decode())
