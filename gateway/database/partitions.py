"""Monthly partitions of the tables that grow, made ahead of time: a month of ids is a range of ULIDs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import asyncpg

from gateway.database.pool import Connection
from gateway.kernel.ids import ULID_LENGTH, first_ulid_at, ulid_time

_log = logging.getLogger("mashang.partitions")
MONTHS_AHEAD: Final = 2
_LETTERS_OF_A_SECOND: Final = 8
"""Of a ULID: they count 1,024 ms, and every day of UTC begins with a new one (86,400,000 = 84,375 x 1,024)."""
_LOCK_TIMEOUT: Final = "250ms"
"""A month takes two locks, the table's and then its default partition's: payments wait behind both."""
_IS_MORE: Final = "SELECT EXISTS (SELECT FROM {default} OFFSET {moved_max})"
_MOVE: Final = (
    "WITH moved AS (DELETE FROM {default} WHERE {key} >= '{low}' AND {key} < '{high}' RETURNING *)"
    " INSERT INTO {name} SELECT * FROM moved"
)
_MOVED_MAX: Final = 20_000
"""So many rows are moved in well under a second."""
_CLOCKS_DIFFER_MAX: Final = timedelta(days=1)
_ANALYZE_THRESHOLD: Final = 20_000
"""A plan made from the statistics of a nearly empty month would scan that month whole, until the next analysis; without
statistics the planner assumes ten pages, and looks rows up by their keys."""
MONTHLY: Final = {
    #  table              ids    fillfactor
    "payments": ("pay", 60),
    "attempts": ("pay", 60),
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


_KEYS: Final = {"payments": "id", "refunds": "id", "webhook_deliveries": "event_id", "webhook_attempts": "event_id"}


def month_start(moment: datetime, offset: int = 0) -> datetime:
    """The first instant (UTC) of the month that is `offset` months after the moment's."""
    months = moment.year * 12 + moment.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def month_of(row_id: str) -> str:
    """The month of ids that an id belongs to; empty for one that has no time of its own."""
    ulid = row_id.rpartition("_")[2]
    return _month_of_letters(ulid[:_LETTERS_OF_A_SECOND]) if len(ulid) == ULID_LENGTH else ""


@lru_cache(maxsize=1_024)
def _month_of_letters(letters: str) -> str:
    """Batch after batch asks for the same few."""
    try:
        return f"{ulid_time(letters.ljust(ULID_LENGTH, '0')):%Y_%m}"
    except (ValueError, OverflowError, OSError):
        return ""


def key_of(table: str) -> str:
    """The column whose ids divide a table."""
    return _KEYS.get(table, "payment_id")


def bounds(start: datetime) -> tuple[str, str]:
    """The lowest ULIDs of the month that begins then and of the next one."""
    return first_ulid_at(start), first_ulid_at(month_start(start, 1))


async def ensure_partitions(connection: Connection, now: datetime) -> list[str]:
    """Make the partitions of this month and the next two where they are missing; returns the names of the new ones.

    On a month's first day also the last month's: ids carry the time of the process that made them.
    """
    # A long reader (a backup) must not make this wait, for behind it every payment would wait too: next time, then.
    await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
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
    made = []
    for table in MONTHLY:
        name = f"{table}_{start:%Y_%m}"
        if await connection.fetchval("SELECT to_regclass($1)", name) is not None:
            continue
        # Names and bounds are letters and digits of our own making: DDL takes no parameters.
        try:
            await connection.execute(
                f"CREATE TABLE {name} PARTITION OF {table} {_values(table, start)} {_options(table)}"
            )
        except asyncpg.CheckViolationError:
            if not await _move_out_of_default(connection, table, start):
                continue
        made.append(name)
    return made


async def _move_out_of_default(connection: Connection, table: str, start: datetime) -> bool:
    """Make a month's partition of rows that went to the default one, for nobody had made it in time.

    Payments wait meanwhile: where there are so many that they would wait for long, they stay, and the next month is
    made in time.  Returns whether they were moved.
    """
    name, default = f"{table}_{start:%Y_%m}", f"{table}_default"
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE")
        if await connection.fetchval(_IS_MORE.format(default=default, moved_max=_MOVED_MAX)):
            _log.warning("a month has no partition of its own", extra={"partition": name, "rows_stay_in": default})
            return False
        await connection.execute(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) {_options(table)}"
        )
        await attach(connection, table, start)
    return True


async def attach(connection: Connection, table: str, start: datetime) -> None:
    """Make a table that stands by itself the partition of its month, with what of it went to the default one meanwhile.

    To be called inside a transaction that holds the default partition for itself.
    """
    name, default = f"{table}_{start:%Y_%m}", f"{table}_default"
    await connection.execute(f"ALTER TABLE {default} DISABLE TRIGGER USER")  # one of them forbids to delete
    low, high = [f"{MONTHLY[table][0]}_{bound}" for bound in bounds(start)]
    await connection.execute(_MOVE.format(default=default, name=name, key=key_of(table), low=low, high=high))
    await connection.execute(f"ALTER TABLE {default} ENABLE TRIGGER USER")
    await connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} {_values(table, start)}")


def _values(table: str, start: datetime) -> str:
    low, high = bounds(start)
    prefix = MONTHLY[table][0]
    return f"FOR VALUES FROM ('{prefix}_{low}') TO ('{prefix}_{high}')"


def _options(table: str) -> str:
    return f"WITH (fillfactor = {MONTHLY[table][1]}, autovacuum_analyze_threshold = {_ANALYZE_THRESHOLD})"
