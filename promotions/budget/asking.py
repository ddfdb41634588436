"""Asks Valkey for reservations: all orders of this process that wait for one slice go in one call of reserve.lua."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, NamedTuple, TypeAlias

from redis.exceptions import NoScriptError, RedisError

from gateway.database.valkey import Valkey, ValkeyAway, scripts_of
from gateway.database.valkey_line import Command
from promotions.budget.epochs import Trust
from promotions.budget.lanes import Place

SCRIPTS: Final = scripts_of("promotions.budget")
_RESERVE: Final = SCRIPTS["reserve"]
_ORDERS_MAX: Final = 256
"""In one call of the script, so that none holds the server for long."""


class Granted(NamedTuple):
    """So many fen are reserved for the order."""

    fen: int


class Refused(NamedTuple):
    """The slice has too little left."""


class Unknown(NamedTuple):
    """Valkey cannot be asked, is not to be believed, or does not know the slice (`is_absent`)."""

    is_absent: bool = False


_log: Final = logging.getLogger("mashang.pool")

Answer: TypeAlias = Granted | Refused | Unknown
_REFUSED: Final = Refused()
_UNKNOWN: Final = Unknown()
_ABSENT: Final = Unknown(is_absent=True)


class Asking:
    """One per process."""

    def __init__(self, valkey: Valkey, trust: Trust) -> None:
        self._valkey = valkey
        self._trust = trust
        self._open: dict[str, _Group] = {}

    def ask(self, place: Place, order_key: str, owner: str, fen: int) -> asyncio.Future[Answer]:
        """Reserve from the slice at that place."""
        group = self._open.get(place.key)
        if group is None:
            group = _Group(self, place)
            try:
                group.send()
            except ValkeyAway:
                return _answered_at_once(_UNKNOWN)
            self._open[place.key] = group
        return group.join(order_key, owner, fen)

    def close(self, place: Place, group: _Group) -> None:
        """The group takes no more: whoever comes next opens another."""
        if self._open.get(place.key) is group:
            del self._open[place.key]

    def close_all(self) -> None:
        """Whoever asks from now on is answered after what was queued before."""
        self._open.clear()

    @property
    def generation(self) -> int:
        """PostgreSQL's, as this process knows it."""
        return self._trust.generation

    def submit(self, place: Place, command: Any) -> asyncio.Future[Any]:
        """To the server of that place.  Raises ValkeyAway."""
        return self._valkey.submit(place.key, command)

    def hear(self, place: Place, beat: bytes | None) -> bool:
        """Whether an answer with that heartbeat is to be believed."""
        return self._trust.hear(place.lane, beat)


class _Group:
    """Orders for one slice that wait for the next round trip; more may join until it leaves."""

    __slots__ = ("_arguments", "_asking", "_is_in_full", "_place", "_waiting")

    def __init__(self, asking: Asking, place: Place) -> None:
        self._asking = asking
        self._place = place
        self._arguments: list[Any] = [""]
        self._waiting: list[asyncio.Future[Answer]] = []
        self._is_in_full = False

    def join(self, order_key: str, owner: str, fen: int) -> asyncio.Future[Answer]:
        self._arguments += (order_key, owner, fen)
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if len(self._waiting) >= _ORDERS_MAX:
            self._asking.close(self._place, self)
        return done

    def send(self) -> None:
        """Queue the call.  Raises ValkeyAway."""
        self._asking.submit(self._place, self._leave).add_done_callback(self._answered)

    def _leave(self) -> Command:
        self._asking.close(self._place, self)
        self._arguments[0] = self._asking.generation
        make = _RESERVE.in_full if self._is_in_full else _RESERVE.by_hash
        return make((self._place.key, self._place.beat), self._arguments)

    def _answered(self, future: asyncio.Future[Any]) -> None:
        self._asking.close(self._place, self)  # it may never have left
        error = future.exception()
        if isinstance(error, NoScriptError) and not self._is_in_full:
            self._is_in_full = True
            try:
                self.send()
            except ValkeyAway:
                self._tell([_UNKNOWN] * len(self._waiting))
        elif error is None:
            self._tell(self._read(future.result()))
        else:
            if not isinstance(error, (ValkeyAway, RedisError)):
                _log.error("reservations could not be asked for", exc_info=error)
            self._tell([_UNKNOWN] * len(self._waiting))

    def _read(self, answer: list[Any]) -> list[Answer]:
        if not self._asking.hear(self._place, answer[0]):
            return [_UNKNOWN] * len(self._waiting)
        if len(answer) == 1:
            return [_ABSENT] * len(self._waiting)
        return [_REFUSED if fen < 0 else Granted(fen) for fen in answer[1:]]

    def _tell(self, answers: list[Answer]) -> None:
        for done, answer in zip(self._waiting, answers, strict=True):
            if not done.done():
                done.set_result(answer)


def _answered_at_once(answer: Answer) -> asyncio.Future[Answer]:
    done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    done.set_result(answer)
    return done
