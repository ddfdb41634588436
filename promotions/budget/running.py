"""Starts everything that the pool needs in a process that takes payments, and ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.valkey import Valkey
from promotions.budget.epochs import Trust
from promotions.budget.following import Following
from promotions.budget.pool import BudgetPool

_log: Final = logging.getLogger("mashang.pool")


@asynccontextmanager
async def budget_pool(pool: asyncpg.Pool, valkey: Valkey) -> AsyncIterator[BudgetPool]:
    """The pool, which follows its epoch until the block ends; then Valkey is told what it has not been told."""
    trust = Trust()
    following = Following(pool, valkey, trust)
    try:
        await following.check()
    except (*BROKEN, asyncpg.PostgresError) as error:
        _log.warning("the pool's epoch could not be read: %s", type(error).__name__)
    task = asyncio.create_task(following.run())
    budget = BudgetPool(pool, valkey, trust)
    try:
        yield budget
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await budget.aclose()
