"""The worker's part of the pool: its heartbeat, what is to be in Valkey, and what there differs from PostgreSQL.

Any number of workers may run.  Of each second one writes the heartbeat, and that one also does the rounds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
from redis.exceptions import RedisError

from gateway.database.batches import BROKEN
from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.metrics import POOL_CORRECTED, POOL_EXPIRED, POOL_REBUILD_SECONDS, POOL_STRANDED
from promotions.budget.beating import Heart
from promotions.budget.epochs import PoolState
from promotions.budget.reconciling import Reconciling, Tally

BEAT_S: Final = 1.0
ROUND_S: Final = 2.0
_SHARE_MAX: Final = 0.1
"""Rounds take no more than this share of the time: with many campaigns there are fewer."""

_log: Final = logging.getLogger("mashang.pool")


class Keeping:
    """One per worker."""

    def __init__(self, pool: asyncpg.Pool, valkey: Valkey) -> None:
        self._heart = Heart(pool, valkey)
        self._reconciling = Reconciling(pool, valkey)
        self._state: PoolState | None = None
        self._built_epoch = 0
        self._is_new = asyncio.Event()

    async def run(self) -> None:
        """Keep the pool until cancelled, through any trouble of both stores."""
        await asyncio.gather(_for_ever(self._beat_on_time), _for_ever(self._round_on_time))

    async def beat(self) -> PoolState | None:
        """One heartbeat; None where another worker was first."""
        self._state = await self._heart.beat()
        if self._state is not None and self._state.epoch != self._built_epoch:
            self._is_new.set()
        return self._state

    async def round(self, state: PoolState) -> Tally:
        """Under a new epoch, put today's slices there; then see to everything that differs.  Raises ValkeyAway."""
        began = time.monotonic()
        tally = await self._reconciling.reconcile_present(state)
        if state.epoch != self._built_epoch and not tally.untold:
            self._built_epoch = state.epoch
            POOL_REBUILD_SECONDS.set(time.monotonic() - began)
            _log.info("the budget pool is built", extra={"epoch": state.epoch, "slices": tally.loaded})
        POOL_STRANDED.set(tally.late_fen)
        POOL_EXPIRED.inc(tally.expired)
        POOL_CORRECTED.inc(tally.differences)
        return tally

    async def _beat_on_time(self) -> None:
        began = time.monotonic()
        await self.beat()
        await asyncio.sleep(max(0.0, began + BEAT_S - time.monotonic()))

    async def _round_on_time(self) -> None:
        self._is_new.clear()
        began = time.monotonic()
        if self._state is not None:
            await self.round(self._state)
        took = time.monotonic() - began
        try:
            async with asyncio.timeout(max(ROUND_S, took / _SHARE_MAX)):
                await self._is_new.wait()
        except TimeoutError:
            return


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
            continue
        except (*BROKEN, asyncpg.PostgresError, ValkeyAway, RedisError) as error:
            _log.warning("the budget pool is not kept", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("the budget pool is not kept")
        await asyncio.sleep(BEAT_S)
