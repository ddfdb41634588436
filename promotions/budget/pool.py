"""The budget pool as payments use it: a fast yes or no from Valkey, and PostgreSQL's guard where Valkey cannot say."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import zlib
from collections.abc import Sequence
from datetime import date
from typing import Final

import asyncpg
from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.metrics import POOL_RESERVATIONS
from promotions.budget.asking import Asking, Granted, Unknown
from promotions.budget.authority import Authority
from promotions.budget.epochs import Trust
from promotions.budget.lanes import Place, Places, Slice
from promotions.budget.loading import Loading
from promotions.budget.reservation import Draw, Exhausted, Reservation
from promotions.budget.scarcity import Scarcity, Undecided
from promotions.budget.telling import Telling

_SEARCHES_MAX: Final = 3
_TURNED_S: Final = 1.0
_TURNS_MAX: Final = 20_000
_RESERVED: Final = POOL_RESERVATIONS.labels("reserved")
_BY_DATABASE: Final = POOL_RESERVATIONS.labels("by_database")
_EXHAUSTED: Final = POOL_RESERVATIONS.labels("exhausted")


class BudgetPool:
    """One per process; the protocol `reservation.Pool`.

    A process prefers a slice of its own, so that its intents share no row with those of other processes, and turns to
    the next one when that is empty.
    """

    def __init__(self, pool: asyncpg.Pool, valkey: Valkey, trust: Trust, own: int | None = None) -> None:
        self._trust = trust
        self._places = Places()
        self._asking = Asking(valkey, trust)
        self._telling = Telling(valkey, self._asking.close_all)
        self._loading = Loading(pool, valkey, trust)
        self._authority = Authority(pool)
        self._turns = _Turns()
        self._scarcity = Scarcity(pool, valkey, trust)
        self._own = own_number() if own is None else own

    async def reserve(self, order_key: str, owner: str, draws: Sequence[Draw]) -> tuple[Reservation, ...] | Exhausted:
        """Reserve from every campaign or from none; the same order again gets the same reservation."""
        if self._telling.is_releasing(order_key):
            self._telling.flush(in_full=True)
        if len(draws) == 1:
            only = await self._draw(order_key, owner, draws[0])
            return only if isinstance(only, Exhausted) else (only,)
        found = await asyncio.gather(*(self._draw(order_key, owner, draw) for draw in sorted(draws)))
        taken = tuple(each for each in found if isinstance(each, Reservation))
        if len(taken) == len(found):
            return taken
        self.release(taken)
        return next(each for each in found if isinstance(each, Exhausted))

    def confirm(self, reservations: Sequence[Reservation]) -> None:
        """The intent is durable: what was reserved is held by its payment now.  Returns at once."""
        for each in reservations:
            if place := self._place_of(each):
                self._telling.confirm(place, each.order_key, each.owner)

    def release(self, reservations: Sequence[Reservation]) -> None:
        """Nothing became of the intent.  Only the owner's reservation is released.  Returns at once."""
        for each in reservations:
            if place := self._place_of(each):
                self._telling.release(place, each.order_key, each.owner)

    def give_back(self, campaign_id: str, day: date, slice_: int, fen: int, count: int) -> None:
        """An outcome or a refund has given back so many fen and redemptions in PostgreSQL.  Returns at once."""
        if self._trust.is_given:
            self._telling.give_back(self._place(Slice(campaign_id, day, slice_)), fen, count)

    def correct(self, campaign_id: str, day: date, slice_: int, room_fen: int, room_count: int | None) -> None:
        """PostgreSQL refused what Valkey had said yes to: it knows of so much left.  Returns at once."""
        self._authority.forget(campaign_id, day)
        if self._trust.is_given:
            self._telling.correct(self._place(Slice(campaign_id, day, slice_)), room_fen, room_count)

    async def aclose(self) -> None:
        """Tell Valkey what it has not been told."""
        await self._loading.aclose()
        await self._telling.aclose()

    async def _draw(self, order_key: str, owner: str, draw: Draw) -> Reservation | Exhausted:
        """From the process's own slice, the next ones, or one that the last look has filled."""
        try:
            first = self._turns.first(draw, self._own)
            for step in range(draw.slices):
                number = (first + step) % draw.slices
                found = await self._draw_from(number, order_key, owner, draw)
                if found is not None:
                    self._turns.note(draw, number, step)
                    return found
                if self._scarcity.knows_of_none(draw):
                    return _exhausted(draw)
            found = await self._search(order_key, owner, draw)
        except (ValkeyAway, RedisError, Undecided):  # trouble is no reason to say that there is none
            found = await self._by_database(order_key, owner, draw)
        return found or _exhausted(draw)

    async def _search(self, order_key: str, owner: str, draw: Draw) -> Reservation | Exhausted | None:
        """From a slice that has enough after all; others may be faster there."""
        for _ in range(_SEARCHES_MAX):
            number = await self._scarcity.find(draw)
            found = None if number is None else await self._draw_from(number, order_key, owner, draw)
            if number is None or found is not None:
                return found
        return None

    async def _draw_from(self, number: int, order_key: str, owner: str, draw: Draw) -> Reservation | Exhausted | None:
        """None where that slice has too little."""
        if not self._trust.is_given:
            return await self._by_database(order_key, owner, draw)
        place = self._place(Slice(draw.campaign_id, draw.day, number))
        answer = await self._asking.ask(place, order_key, owner, draw.fen)
        if isinstance(answer, Granted):
            _RESERVED.inc()
            return self._reservation(order_key, owner, draw, number, answer.fen)
        if isinstance(answer, Unknown):
            if answer.is_absent:
                self._loading.soon(draw.campaign_id, draw.day)
            return await self._by_database(order_key, owner, draw)
        return None

    async def _by_database(self, order_key: str, owner: str, draw: Draw) -> Reservation | Exhausted:
        number = await self._authority.choose(draw, self._own % draw.slices)
        if number is None:
            return _exhausted(draw)
        _BY_DATABASE.inc()
        epoch = self._trust.epoch
        return Reservation(draw.campaign_id, draw.day, number, draw.fen, order_key, owner, False, epoch)

    def _reservation(self, order_key: str, owner: str, draw: Draw, number: int, fen: int) -> Reservation:
        return Reservation(draw.campaign_id, draw.day, number, fen, order_key, owner, True, self._trust.epoch)

    def _place_of(self, reservation: Reservation) -> Place | None:
        """Where it stands, or may stand, for Valkey's answer can have been lost; None under an epoch that is over."""
        if reservation.epoch != self._trust.epoch or not (reservation.in_pool or self._trust.is_given):
            return None
        return self._place(Slice(reservation.campaign_id, reservation.day, reservation.slice))

    def _place(self, of: Slice) -> Place:
        return self._places.of(of, self._trust.epoch)


class _Turns:
    """Where this process turned to when its own slice was empty; for a second, then it looks at its own again."""

    def __init__(self) -> None:
        self._turned: dict[tuple[str, date], tuple[float, int]] = {}

    def first(self, draw: Draw, own: int) -> int:
        """The slice to begin with."""
        if not self._turned:
            return own % draw.slices
        until, number = self._turned.get((draw.campaign_id, draw.day), (0.0, 0))
        return number % draw.slices if until and time.monotonic() < until else own % draw.slices

    def note(self, draw: Draw, number: int, step: int) -> None:
        """A slice had enough after so many steps."""
        if step:
            if len(self._turned) > _TURNS_MAX:
                self._turned.clear()
            self._turned[draw.campaign_id, draw.day] = (time.monotonic() + _TURNED_S, number)


def _exhausted(draw: Draw) -> Exhausted:
    _EXHAUSTED.inc()
    return Exhausted(draw.campaign_id)


def own_number() -> int:
    """Of this process: those of one host are started one after the other, so their numbers are as well."""
    return zlib.crc32(socket.gethostname().encode()) + os.getpid()
