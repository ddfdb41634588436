"""The shares of customers that paced campaigns let through, as this process knows them: read every second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import named_statements

POLL_S: Final = 1.0
SQL: Final = named_statements("promotions.pacing", "pacing.sql")

_log: Final = logging.getLogger("mashang.pacing")


class PaceBook:
    """One per process.  `shares` has the campaigns that do not let everybody through; it is replaced, never changed."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.shares: Mapping[str, float] = {}

    async def reload(self) -> None:
        """Read the shares."""
        records = await self._pool.fetch(SQL["shares"])
        self.shares = {record["campaign_id"]: record["share"] for record in records}

    async def run(self) -> None:
        """Read every second, through any trouble: without news the last shares stay in force."""
        while True:
            try:
                await self.reload()
            except (*BROKEN, asyncpg.PostgresError) as error:
                _log.warning("the pace of campaigns could not be read", extra={"error": type(error).__name__})
            except Exception:  # were this loop to end, the shares of this moment would be in force for ever
                _log.exception("the pace of campaigns could not be read")
            await asyncio.sleep(POLL_S)
