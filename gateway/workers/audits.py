"""Tells when the books were last audited, and with what end: `mashang audit` leaves a row, and ends.

Every worker tells of the same row, so that an alert needs no pod that ran the audit to be alive.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import Connection, named_statements
from gateway.kernel.business_metrics import AUDIT_AGREED_AT, AUDIT_FINDINGS, AUDITED_AT

SQL: Final = named_statements("gateway.workers", "audits.sql")
_EVERY_S: Final = 60.0

_log: Final = logging.getLogger("mashang.audits")


async def tell_audits(pool: asyncpg.Pool) -> None:
    """Look once a minute until cancelled, through any trouble."""
    while True:
        try:
            async with pool.acquire() as connection:
                await tell_newest(connection)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("the audits could not be read", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("the audits could not be read")
        await asyncio.sleep(_EVERY_S)


async def tell_newest(connection: Connection) -> None:
    """Set the gauges by what stands in audit_runs; all are 0 where no audit ever came to its end."""
    row = await connection.fetchrow(SQL["newest"])
    assert row is not None
    AUDIT_FINDINGS.set(row["findings"] or 0)
    AUDITED_AT.set(_seconds(row["audited_at"]))
    AUDIT_AGREED_AT.set(_seconds(row["agreed_at"]))


def _seconds(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()
