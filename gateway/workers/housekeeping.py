"""Keeps house: the gauges of what is open, and the partitions of the coming months."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import asyncpg

from gateway.composition import Base
from gateway.database.batches import BROKEN
from gateway.database.partitions import ensure_partitions
from gateway.kernel.clock import utc_now
from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.kernel.metrics import REFUNDS_PENDING, REFUNDS_PENDING_AGE, REVIEWS, UNRESOLVED, UNRESOLVED_AGE
from gateway.workers.tasks import SQL

_log = logging.getLogger("mashang.housekeeping")
_GAUGES_S: Final = 1.0
_PARTITIONS_S: Final = 3_600.0
_PARTITIONS_RETRY_S: Final = 60.0
"""While a partition waits for its lock, every payment waits behind it: not again at once where that failed."""


async def keep_house(base: Base) -> None:
    """Run until cancelled."""
    partitions_due = 0.0
    while True:
        flush_hot_metrics()
        try:
            await measure(base)
            if time.monotonic() >= partitions_due:
                partitions_due = time.monotonic() + _PARTITIONS_RETRY_S
                async with base.pool.acquire() as connection:
                    await ensure_partitions(connection, utc_now())
                partitions_due = time.monotonic() + _PARTITIONS_S
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("housekeeping was put off: %s", type(error).__name__)
        except Exception:  # the end of this loop would be the worker's
            _log.exception("housekeeping was put off")
        await asyncio.sleep(_GAUGES_S)


async def measure(base: Base) -> None:
    """Read the gauges of what is open."""
    row = await base.pool.fetchrow(SQL["gauges"])
    assert row is not None
    UNRESOLVED.set(row["unresolved"])
    UNRESOLVED_AGE.set(row["age_s"] or 0.0)
    REVIEWS.set(row["reviews"])
    REFUNDS_PENDING.set(row["refunds_pending"])
    REFUNDS_PENDING_AGE.set(row["refunds_age_s"] or 0.0)
