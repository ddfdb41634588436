"""Follows the pool's epoch and generation in PostgreSQL, in the rhythm of the directory's revision; one query."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncpg
from redis.exceptions import RedisError

from gateway.database.batches import BROKEN
from gateway.database.revision import POLL_S
from gateway.database.valkey import Valkey, ValkeyAway
from gateway.kernel.metrics import POOL_EPOCH, POOL_FENCED
from promotions.budget.epochs import Trust
from promotions.budget.lanes import beat_key
from promotions.budget.loading import state_of

_log: Final = logging.getLogger("mashang.pool")


class Following:
    """Keeps this process's trust up to date; runs until cancelled, through any trouble of both stores."""

    def __init__(self, pool: asyncpg.Pool, valkey: Valkey, trust: Trust) -> None:
        self._pool = pool
        self._valkey = valkey
        self._trust = trust

    async def check(self) -> None:
        """Look once.  A lane that is doubted under the present epoch is asked again."""
        self._trust.learn(await state_of(self._pool))
        if self._trust.sign is not None:
            await self._ask_again()
        POOL_EPOCH.set(self._trust.epoch)
        POOL_FENCED.set(self._trust.sign is not None)

    async def _ask_again(self) -> None:
        try:
            raw = await self._valkey.call("GET", beat_key(self._trust.doubted_lane))
        except (ValkeyAway, RedisError):
            return
        self._trust.hear_again(raw)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.check()
            except (*BROKEN, asyncpg.PostgresError) as error:
                _log.warning("the pool's epoch could not be read", extra={"error": type(error).__name__})
            except Exception:  # were this loop to end, the process would go by an epoch that is over
                _log.exception("the pool's epoch could not be read")
