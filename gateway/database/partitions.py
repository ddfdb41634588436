"""Monthly partitions of the tables that grow, made ahead of time: a month of ids is a range of ULIDs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.database.pool import Connection
from gateway.kernel.ids import first_ulid_at, ulid_time

MONTHS_AHEAD: Final = 2
_CLOCKS_DIFFER_MAX: Final = timedelta(days=1)
_ANALYZE_THRESHOLD: Final = 20_000
"""A plan made from the statistics of a nearly empty month would scan that month whole, until the next analysis; without
statistics the planner assumes ten pages, and looks rows up by their keys."""
_TABLES: Final = {
    #  table              ids    fillfactor
    "payments": ("pay", 80),
    "attempts": ("pay", 80),
    "events": ("pay", 100),
    "transfers": ("pay", 100),
    "redemptions": ("pay", 100),
    "risk_decisions": ("pay", 100),
    "callbacks": ("pay", 80),
    "refunds": ("ref", 80),
    "webhook_deliveries": ("evt", 80),
    "webhook_attempts": ("evt", 100),
}
"""By whose ids a table is divided.  Where rows are updated once or twice, room on the page keeps such updates out of
the indexes (HOT)."""


def month_start(moment: datetime, offset: int = 0) -> datetime:
    """The first instant (UTC) of the month that is `offset` months after the moment's."""
    months = moment.year * 12 + moment.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def month_of(row_id: str) -> str:
    """The month of ids that an id belongs to; empty for one that has no time of its own."""
    try:
        return f"{ulid_time(row_id.rpartition('_')[2]):%Y_%m}"
    except (ValueError, OverflowError, OSError):
        return ""


async def ensure_partitions(connection: Connection, now: datetime) -> list[str]:
    """Make the partitions of this month and the next two where they are missing; returns the names of the new ones.

    On a month's first day also the last month's: ids carry the time of the process that made them.
    """
    # A long reader (a backup) must not make this wait, for behind it every payment would wait too: next time, then.
    await connection.execute("SET lock_timeout = '2s'")
    try:
        return await _ensure(connection, now)
    finally:
        await connection.execute("RESET lock_timeout")


async def _ensure(connection: Connection, now: datetime) -> list[str]:
    first = 0 if month_start(now - _CLOCKS_DIFFER_MAX) == month_start(now) else -1
    made = []
    for offset in range(first, MONTHS_AHEAD + 1):
        made += await make_month(connection, month_start(now, offset))
    return made


async def make_month(connection: Connection, start: datetime) -> list[str]:
    """Make the partitions of the month that begins then, where they are missing; returns the names of the new ones."""
    end = month_start(start, 1)
    made = []
    for table, (prefix, fillfactor) in _TABLES.items():
        low, high = f"{prefix}_{first_ulid_at(start)}", f"{prefix}_{first_ulid_at(end)}"
        name = f"{table}_{start:%Y_%m}"
        if await connection.fetchval("SELECT to_regclass($1)", name) is not None:
            continue
        # Names and bounds are letters and digits of our own making: DDL takes no parameters.
        await connection.execute(
            f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{low}') TO ('{high}')"
            f" WITH (fillfactor = {fillfactor}, autovacuum_analyze_threshold = {_ANALYZE_THRESHOLD})"
        )
        made.append(name)
    return made
