"""Retires months: looked at, cut off, looked at again, archived, dropped; a kill at any point loses nothing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg
import orjson

from gateway.retention import months
from gateway.retention.archive import in_the_archive, write_month
from gateway.retention.months import SQL, Obstacle

_log = logging.getLogger("mashang.retention")
_LOCK: Final = 0x726574697265
"""Key of the advisory lock that lets only one process retire months ("retire" in ASCII)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`months_kept` besides the present one; `archive` is the folder, None where nobody wants one."""

    months_kept: int
    archive: Path | None


@dataclass(slots=True)
class Outcome:
    """The months that were retired, and of those that stay what is in the way."""

    retired: list[str] = field(default_factory=list)
    kept: dict[str, list[Obstacle]] = field(default_factory=dict)


class IsRetiring(Exception):
    """Another process is at it."""


@asynccontextmanager
async def alone(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection without a time limit, while no other process retires anything.  Raises IsRetiring."""
    connection = await asyncpg.connect(database_url, server_settings={"application_name": "mashang retention"})
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise IsRetiring
        yield connection
    finally:
        await connection.close()


async def retire(database_url: str, rules: Rules, now: datetime, say: Callable[[str], None] = _log.info) -> Outcome:
    """Retire what is due, oldest first.  Raises IsRetiring, CannotCut, OSError where the archive cannot be written."""
    outcome = Outcome()
    async with alone(database_url) as connection:
        for row in await connection.fetch(SQL["begun"]):
            await _retire(connection, row["month"], rules, outcome, say)
        for month in months.due(await months.attached(connection), now, rules.months_kept):
            obstacles = await months.in_the_way(connection, month.name) or in_the_archive(rules.archive, month.name)
            if obstacles:
                outcome.kept[month.name] = obstacles
            else:
                await _retire(connection, month.name, rules, outcome, say)
    return outcome


async def _retire(
    connection: asyncpg.Connection, name: str, rules: Rules, outcome: Outcome, say: Callable[[str], None]
) -> None:
    """From wherever an earlier process left it.  What came in before the cut is seen after it: the month goes back."""
    await connection.execute(SQL["begin"], name, None if rules.archive is None else str(rules.archive / name))
    await months.cut_off(connection, name)
    say(f"{name}: cut off")
    if obstacles := await months.in_the_way(connection, name, months.RETIRED):
        await months.put_back(connection, name)
        await connection.execute(SQL["take_back"], name)
        outcome.kept[name] = obstacles
        return
    rows = {} if rules.archive is None else await write_month(connection, name, rules.archive)
    say(f"{name}: {sum(rows.values()):,} rows archived" if rows else f"{name}: no archive is wanted")
    async with connection.transaction():
        await months.drop(connection, name)
        await connection.execute(SQL["finish"], name, orjson.dumps(rows).decode())
    outcome.retired.append(name)
    say(f"{name}: dropped")
