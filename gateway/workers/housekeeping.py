"""Keeps house: the gauges of what is open, the partitions of the coming months, and what is no longer to be kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.admin.kept_answers import forget_answers
from gateway.composition import Base
from gateway.database.batches import BROKEN
from gateway.database.partitions import ensure_partitions
from gateway.kernel.clock import utc_now
from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.kernel.metrics import (
    CODES_SHOWN,
    REFUNDS_PENDING,
    REFUNDS_PENDING_AGE,
    REVIEWS,
    UNRESOLVED,
    UNRESOLVED_AGE,
)
from gateway.merchants.changes import forget_changes
from gateway.metrics.process import ProcessWatch, Role
from gateway.workers.probes import Loop, Turns
from gateway.workers.tasks import SQL
from promotions.budget.grants import forget_uses, reclaim
from promotions.reporting.counting import forget_hours
from risk.lists.compiling import keep_lists
from risk.rules.fetching import sweep_artefacts
from routing.accounts.store import forget_previous

_log = logging.getLogger("mashang.housekeeping")
_GAUGES_S: Final = 1.0
_PARTITIONS_S: Final = 3_600.0
_FORGET_S: Final = 60.0
_GRANTS_S: Final = 10.0
_LISTS_S: Final = 10.0
_ARTEFACTS_S: Final = 3_600.0
_RETRY_S: Final = 60.0
"""While a partition waits for its lock, every payment waits behind it: not again at once where that failed."""


@dataclass(slots=True)
class Chore:
    """What is done every so often."""

    every_s: float
    work: Callable[[Base], Awaitable[None]]
    due_s: float = 0.0

    async def do_if_due(self, base: Base) -> None:
        """Do it where its time has come; where it fails, its time comes again a little later."""
        if time.monotonic() < self.due_s:
            return
        self.due_s = time.monotonic() + _RETRY_S
        await self.work(base)
        self.due_s = time.monotonic() + self.every_s


async def keep_house(base: Base, turns: Turns | None = None) -> None:
    """Run until cancelled."""
    turns, watch = turns or Turns(), ProcessWatch(Role.WORKER)
    chores = (
        Chore(_PARTITIONS_S, make_partitions),
        Chore(_FORGET_S, forget),
        Chore(_GRANTS_S, grant_budgets),
        Chore(_LISTS_S, sweep_lists),
        Chore(_ARTEFACTS_S, sweep_rules),
    )
    while True:
        turns.turned(Loop.HOUSE)
        watch.look()
        flush_hot_metrics()
        try:
            await measure(base)
            for chore in chores:
                await chore.do_if_due(base)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("housekeeping was put off", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("housekeeping was put off")
        await asyncio.sleep(_GAUGES_S)


async def make_partitions(base: Base) -> None:
    """Make the partitions of the coming months."""
    async with base.pool.acquire() as connection:
        await ensure_partitions(connection, utc_now())


async def forget(base: Base) -> None:
    """Forget what is over: answers of the admin API, earlier credentials of channel accounts, counters of past days,
    which merchants changed."""
    await forget_answers(base.pool)
    await forget_previous(base.pool)
    await forget_uses(base.pool)
    await forget_hours(base.pool)
    await forget_changes(base.pool)


async def grant_budgets(base: Base) -> None:
    """Grant campaigns their new day, and bring back what past days left over."""
    await reclaim(base.pool)


async def sweep_lists(base: Base) -> None:
    """Sweep what has expired on the risk check's lists, and what imports have left."""
    await keep_lists(base.pool)


async def sweep_rules(base: Base) -> None:
    """Sweep what earlier releases have compiled of the risk rules."""
    await sweep_artefacts(base.pool)


async def measure(base: Base) -> None:
    """Read the gauges of what is open."""
    row = await base.pool.fetchrow(SQL["gauges"])
    assert row is not None
    UNRESOLVED.set(row["unresolved"])
    CODES_SHOWN.set(row["codes_shown"])
    UNRESOLVED_AGE.set(row["age_s"] or 0.0)
    REVIEWS.set(row["reviews"])
    REFUNDS_PENDING.set(row["refunds_pending"])
    REFUNDS_PENDING_AGE.set(row["refunds_age_s"] or 0.0)
