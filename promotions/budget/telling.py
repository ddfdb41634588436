"""Tells Valkey what became of reservations: in batches that nobody waits for.  Reconciliation finds what is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.exceptions import NoScriptError, RedisError

from gateway.database.valkey import Script, Valkey, ValkeyAway
from gateway.kernel.metrics import POOL_UNTOLD
from promotions.budget.asking import SCRIPTS
from promotions.budget.lanes import Place

LINGER_S: Final = 0.02
"""What is told meanwhile goes together."""
_NOTES_MAX: Final = 50_000
"""Beyond these, notes are dropped: Valkey has been away for long, and will be put right by reconciliation."""
_NOTES_IN_A_CALL_MAX: Final = 200
_SETTLE: Final[Script] = SCRIPTS["settle"]

_log: Final = logging.getLogger("mashang.pool")


class Telling:
    """One per process; within a slice, notes keep their order."""

    def __init__(self, valkey: Valkey, on_flush: Callable[[], None]) -> None:
        """`on_flush` is called before notes leave: what is asked from then on is answered after them."""
        self._valkey = valkey
        self._on_flush = on_flush
        self._notes: dict[str, list[Any]] = {}
        self._count = 0
        self._releasing: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Future[Any]] = set()

    def confirm(self, place: Place, order_key: str, owner: str) -> None:
        """Held by a payment from now on."""
        self._note(place, ("confirm", order_key, owner, ""))

    def release(self, place: Place, order_key: str, owner: str) -> None:
        """Nothing came of it."""
        self._releasing.add(order_key)
        self._note(place, ("release", order_key, owner, ""))

    def give_back(self, place: Place, fen: int, count: int) -> None:
        """So much is left again."""
        self._note(place, ("give_back", fen, count, ""))

    def correct(self, place: Place, fen: int, count: int | None) -> None:
        """No more than so much is left."""
        self._note(place, ("correct", fen, "" if count is None else count, ""))

    def is_releasing(self, order_key: str) -> bool:
        """Whether a reservation of that order waits to be released."""
        return order_key in self._releasing

    def flush(self, *, in_full: bool = False) -> None:
        """Send everything with the next round trip; in full where what is asked next must find it done.

        By its hash the script would come late to a server that has forgotten it.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._on_flush()
        notes, self._notes, self._count = self._notes, {}, 0
        self._releasing.clear()
        for key, arguments in notes.items():
            size = 4 * _NOTES_IN_A_CALL_MAX
            for first in range(0, len(arguments), size):
                self._send(key, arguments[first : first + size], in_full=in_full)

    async def aclose(self) -> None:
        """Send what waits, and wait until it is there."""
        self.flush()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _note(self, place: Place, note: tuple[Any, Any, Any, Any]) -> None:
        if self._count >= _NOTES_MAX:
            POOL_UNTOLD.inc()
            return
        self._count += 1
        self._notes.setdefault(place.key, []).extend(note)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self.flush)

    def _send(self, key: str, arguments: Sequence[Any], *, in_full: bool) -> None:
        command = _SETTLE.in_full([key], arguments) if in_full else _SETTLE.by_hash([key], arguments)
        try:
            future = self._valkey.submit(key, command)
        except ValkeyAway:
            POOL_UNTOLD.inc(len(arguments) // 4)
            return
        self._under_way.add(future)
        future.add_done_callback(lambda done: self._sent(key, arguments, done, in_full=in_full))

    def _sent(self, key: str, arguments: Sequence[Any], done: asyncio.Future[Any], *, in_full: bool) -> None:
        self._under_way.discard(done)
        error = done.exception()
        if isinstance(error, NoScriptError) and not in_full:
            self._send(key, arguments, in_full=True)
        elif error is not None:
            POOL_UNTOLD.inc(len(arguments) // 4)
            if not isinstance(error, (ValkeyAway, RedisError)):
                _log.error("the pool was not told", exc_info=error)
