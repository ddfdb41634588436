"""Keeps displayed codes from hoarding budgets: few may hold any at a time, and none for long of one with little left.

Both are bounds on a nuisance, kept as well as Valkey and the last second's figures allow; no budget depends on them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import asyncpg
from redis.exceptions import RedisError

from gateway.database.batches import BROKEN
from gateway.database.pool import named_statements
from gateway.database.valkey import Valkey, ValkeyAway, scripts_of

SQL: Final = named_statements("promotions", "hoarding.sql")
_AGE_S_MAX: Final = 1.0
_KEPT_MAX: Final = 20_000

_SHOW: Final = scripts_of("promotions")["show_code"]

_log: Final = logging.getLogger("mashang.campaigns")


class Scarce:
    """One per process.  A campaign is looked up once a second at most, and only for codes that are shown for long."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known: dict[str, tuple[float, bool]] = {}

    async def among(self, campaign_ids: Sequence[str]) -> frozenset[str]:
        """Those that have less than a tenth of their day's budget, or number, left.

        Where the database cannot say, none is: the intent will tell.
        """
        now = time.monotonic()
        unknown = [each for each in campaign_ids if self._known.get(each, (0.0, False))[0] < now]
        if unknown:
            await self._look(unknown, now + _AGE_S_MAX)
        return frozenset([each for each in campaign_ids if self._known.get(each, (0.0, False))[1]])

    async def _look(self, campaign_ids: Sequence[str], until: float) -> None:
        try:
            found = {record["campaign_id"] for record in await self._pool.fetch(SQL["scarce"], campaign_ids)}
        except BROKEN as error:
            _log.warning("scarce budgets could not be looked up", extra={"error": type(error).__name__})
            return
        if len(self._known) > _KEPT_MAX:
            self._known.clear()
        self._known.update({each: (until, each in found) for each in campaign_ids})


class Shown(NamedTuple):
    """A code on display that holds a discount; `customer` is the keyed hash, None where nobody knows who will scan."""

    payment_id: str
    merchant_id: str
    customer: bytes | None


class Shelf(Protocol):
    """Which codes on display hold a discount."""

    async def put(self, code: Shown, seconds: float) -> bool:
        """Whether one more may."""

    def take_down(self, code: Shown) -> None:
        """The code is paid, or over.  Returns at once."""


class NoShelf:
    """Where nobody counts."""

    async def put(self, code: Shown, seconds: float) -> bool:  # noqa: ARG002
        """Every one may."""
        return True

    def take_down(self, code: Shown) -> None:
        """Nobody has counted it."""


NO_SHELF: Final = NoShelf()


class ShelfInValkey:
    """One per process: the codes of each customer and of each merchant are counted in Valkey until they are over.

    Without Valkey everybody may; what a process that died has put there is gone with the code's end.
    """

    def __init__(self, valkey: Valkey, *, per_customer_max: int, per_merchant_max: int) -> None:
        self._valkey = valkey
        self._per_customer_max = per_customer_max
        self._per_merchant_max = per_merchant_max

    async def put(self, code: Shown, seconds: float) -> bool:
        """Whether one more may, of the customer and of the merchant."""
        for key in _keys(code):
            most = self._per_merchant_max if key == _of_merchant(code) else self._per_customer_max
            try:
                has_room = await self._valkey.script(_SHOW, [key], [code.payment_id, int(seconds), most])
            except (ValkeyAway, RedisError):
                return True
            if not has_room:
                self.take_down(code)
                return False
        return True

    def take_down(self, code: Shown) -> None:
        """The code is paid, or over.  Returns at once."""
        for key in _keys(code):
            try:
                self._valkey.submit(key, ("ZREM", key, code.payment_id)).add_done_callback(_heard)
            except ValkeyAway:
                return


def _keys(code: Shown) -> Sequence[str]:
    if code.customer is None:
        return (_of_merchant(code),)
    return (f"codes:{{{code.customer.hex()}}}", _of_merchant(code))


def _of_merchant(code: Shown) -> str:
    return f"codes:{{{code.merchant_id}}}"


def _heard(done: asyncio.Future[Any]) -> None:
    """What was lost is gone with the code's end."""
    if not done.cancelled():
        done.exception()
