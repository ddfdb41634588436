"""The worker's part: where an age is set, it retires what has come of it, once an hour; by itself nothing is on."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.kernel.clock import utc_now
from gateway.retention.months import CannotCut
from gateway.retention.retiring import IsRetiring, Outcome, Rules, retire
from gateway.settings import Settings

_log = logging.getLogger("mashang.retention")
_PAUSE_S: Final = 3_600.0


async def keep_retention(settings: Settings) -> None:
    """Run until cancelled; returns at once where nothing is to be retired."""
    if settings.retention_months is None:
        return
    if settings.archive_dir is None:
        _log.warning("MASHANG_RETENTION_MONTHS is set without MASHANG_ARCHIVE_DIR: nothing is taken out")
        return
    while True:
        await _retire_due(settings, Rules(settings.retention_months, settings.archive_dir))
        await asyncio.sleep(_PAUSE_S)


async def _retire_due(settings: Settings, rules: Rules) -> None:
    try:
        _report(await retire(settings.database_url.get_secret_value(), rules, utc_now()))
    except IsRetiring:
        _log.info("another process retires months")
    except (*BROKEN, asyncpg.PostgresError, CannotCut, OSError) as error:
        _log.warning("retention was put off", extra={"error": type(error).__name__, "reason": str(error)})
    except Exception:  # the end of this loop would be the worker's
        _log.exception("retention was put off")


def _report(outcome: Outcome) -> None:
    for month, obstacles in outcome.kept.items():
        for obstacle in obstacles:
            _log.warning("a month stays", extra={"month": month, "count": obstacle.count, "obstacle": obstacle.what})
