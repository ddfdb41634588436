"""Leaves the campaigns' figures for Prometheus: one loop of the worker, so that no scrape asks the database."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.metrics.exposition import Exposition
from gateway.metrics.families import family_of, text_of
from promotions.reporting.gauges import AGE_S_MAX, CampaignGauges

_log: Final = logging.getLogger("mashang.campaigns")


async def tell_campaigns(pool: asyncpg.Pool, exposition: Exposition) -> None:
    """Run until cancelled, through any trouble."""
    gauges = CampaignGauges(pool)
    while True:
        try:
            exposition.leave(text_of(map(family_of, await gauges.metrics())))
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("the campaigns' gauges were put off", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("the campaigns' gauges were put off")
        await asyncio.sleep(AGE_S_MAX)
