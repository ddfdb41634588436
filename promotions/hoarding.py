"""Keeps displayed codes from hoarding budgets: of those with little left, no code may hold any for long."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import named_statements

SQL: Final = named_statements("promotions", "hoarding.sql")
_AGE_S_MAX: Final = 1.0
_KEPT_MAX: Final = 20_000

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
            _log.warning("scarce budgets could not be looked up: %s", type(error).__name__)
            return
        if len(self._known) > _KEPT_MAX:
            self._known.clear()
        self._known.update({each: (until, each in found) for each in campaign_ids})
