"""Which months are old enough, what of one is not over yet, and the cut that takes it out of its tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import asyncpg

from gateway.database.partitions import MONTHLY, attach, bounds, key_of, month_start
from gateway.database.pool import named_statements

SQL: Final = named_statements("gateway.retention", "months.sql")
RETIRED: Final = "retired_"
"""What the names of tables begin with that are cut off: statements that name a month's tables must not find them."""
_LOCK_TIMEOUT: Final = "100ms"
"""All payments wait behind whoever waits for the lock of a whole table: not longer than this, and then again later."""
_OF_MONTH: Final = "of_its_month"
_TRIES: Final = 50
_PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Month:
    """A month of payments that is part of the tables.  `bytes`: with all that belongs to it, indexes included."""

    name: str
    bytes: int

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return start_of(self.name)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a month stays: so many of something are not over."""

    what: str
    count: int


class CannotCut(Exception):
    """A table was in use whenever the cut was tried; the next run goes on with it."""


def start_of(name: str) -> datetime:
    """The first instant of a month by its name, such as 2025_09."""
    return datetime(int(name[:4]), int(name[5:]), 1, tzinfo=UTC)


async def attached(connection: asyncpg.Connection) -> list[Month]:
    """All months, oldest first."""
    return [Month(*row.values()) for row in await connection.fetch(SQL["attached"])]


def due(months: list[Month], now: datetime, months_kept: int) -> list[Month]:
    """Those that lie wholly before the months to be kept: this one, which is not over, and so many before."""
    return [month for month in months if month.start < month_start(now, -months_kept)]


async def in_the_way(connection: asyncpg.Connection, name: str, where: str = "") -> list[Obstacle]:
    """What of the month is not over yet; `where` is RETIRED once it is cut off.  Reads all of its payments."""
    there = [await connection.fetchval(SQL["is_there"], f"{where}{table}_{name}") for table in MONTHLY]
    if not all(there):
        return [Obstacle("tables without a partition of that month: see the default ones", there.count(False))]
    low, high = bounds(start_of(name))
    statement = SQL["in_the_way"].format(where=where, month=name, low=low, high=high)
    return [Obstacle(*row.values()) for row in await connection.fetch(statement)]


async def cut_off(connection: asyncpg.Connection, name: str) -> None:
    """Detach the month's partitions, one by one, while payments go on.  Raises CannotCut.

    DETACH … CONCURRENTLY is not to be had where a table has a default partition.  The plain one needs the table for
    itself, for some milliseconds: it waits no longer than a payment may.
    """
    for table in MONTHLY:
        partition = f"{table}_{name}"
        if await connection.fetchval(SQL["is_attached"], partition):
            detach = f"ALTER TABLE {table} DETACH PARTITION {partition}"
            rename = f"ALTER TABLE {partition} RENAME TO {RETIRED}{partition}"
            await _once_nobody_is_there(connection, table, partial(connection.execute, f"{detach}; {rename}"))


async def put_back(connection: asyncpg.Connection, name: str) -> None:
    """Attach again what was cut off, with what came in for it meanwhile (a notification told once more).

    Raises CannotCut.  A constraint that is checked beforehand spares ATTACH to read the month while others wait.
    """
    for table, (prefix, _) in MONTHLY.items():
        partition = f"{table}_{name}"
        if await _is_cut_off(connection, partition):
            low, high = [f"{prefix}_{bound}" for bound in bounds(start_of(name))]
            key = key_of(table)
            await connection.execute(
                f"ALTER TABLE {RETIRED}{partition} DROP CONSTRAINT IF EXISTS {_OF_MONTH},"
                f" ADD CONSTRAINT {_OF_MONTH} CHECK ({key} >= '{low}' AND {key} < '{high}')"
            )
            await _once_nobody_is_there(connection, table, partial(_put_back, connection, table, name))


async def drop(connection: asyncpg.Connection, name: str) -> None:
    """Drop what was cut off; nobody else knows these tables any more."""
    for table in MONTHLY:
        await connection.execute(f"DROP TABLE IF EXISTS {RETIRED}{table}_{name}")


async def _put_back(connection: asyncpg.Connection, table: str, name: str) -> None:
    await connection.execute(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE")
    await connection.execute(f"ALTER TABLE {RETIRED}{table}_{name} RENAME TO {table}_{name}")
    await attach(connection, table, start_of(name))
    await connection.execute(f"ALTER TABLE {table}_{name} DROP CONSTRAINT {_OF_MONTH}")


async def _once_nobody_is_there(
    connection: asyncpg.Connection, table: str, change: Callable[[], Awaitable[object]]
) -> None:
    for _ in range(_TRIES):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                await change()
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(_PAUSE_S)
        else:
            return
    raise CannotCut(f"{table} was in use each of {_TRIES} times")


async def _is_cut_off(connection: asyncpg.Connection, partition: str) -> bool:
    there: bool = await connection.fetchval(SQL["is_there"], RETIRED + partition)
    return there
