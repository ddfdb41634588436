"""Brings a database to the newest schema while payments go on: numbered SQL files, forward only, one runner at a time.

A migration is one transaction, or, where a line of it says `-- outside transaction`, a row of statements of which each
can be repeated (concurrent.py).  None waits for a lock longer than `LOCK_TIMEOUT`: behind whoever waits for a table all
payments wait too.  What may stand in a migration is in rules.py; docs/upgrading.md tells it with examples.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Final

import asyncpg

from gateway.database.concurrent import make_index, read_index
from gateway.database.locking import LOCK_TIMEOUT, PATIENCE_S, Say, in_short_waits, let_vacuums_give_way, quiet
from gateway.database.partitions import ensure_partitions
from gateway.database.statements import Statement, split
from gateway.kernel.clock import utc_now

_LOCK: Final = 0x6D617368616E67
"""Key of the advisory lock that lets only one migration run at a time ("mashang" in ASCII)."""
_LOCK_LOOK_S: Final = 0.2
_NAME: Final = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_CONTRACT: Final = re.compile(r"^-- contract: (\d{4})$", re.MULTILINE)
_OUTSIDE: Final = re.compile(r"^-- outside transaction$", re.MULTILINE)
_REPEATED: Final = "until none is left"
_STATEMENT_TIMEOUT: Final = "15s"
"""A transaction that holds a table for longer than that keeps every payment waiting: it is given up."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def is_outside_transaction(self) -> bool:
        """Whether its statements run one by one, each committed by itself."""
        return _OUTSIDE.search(self.sql) is not None

    @property
    def contract(self) -> int | None:
        """Code that knows fewer migrations than this cannot run any more once it has run; None: any code can."""
        return max(map(int, _CONTRACT.findall(self.sql)), default=None)


def migrations() -> list[Migration]:
    """All migrations in order.  Raises ValueError where numbers are missing or double."""
    entries = (files("gateway.database") / "migrations").iterdir()
    found = [
        Migration(int(match[1]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in sorted(entries, key=lambda entry: entry.name)
        if (match := _NAME.match(entry.name))
    ]
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("migrations must be numbered 0001, 0002, … without a gap")
    return found


async def migrate(database_url: str, say: Say = quiet, patience_s: float = PATIENCE_S) -> list[str]:
    """Run what has not run yet and make the partitions of the coming months; returns the names of what ran.

    `say` is told what goes on.  Raises StillLocked where a lock was not to be had within `patience_s`: then nothing of
    that migration has happened, and the next call goes on there.
    """
    connection = await asyncpg.connect(database_url)
    try:
        async with _alone(connection, say):
            await _prepare(connection)
            await let_vacuums_give_way(connection)
            done = {row["number"] for row in await connection.fetch("SELECT number FROM schema_migrations")}
            ran = []
            for migration in migrations():
                if migration.number not in done:
                    say(f"{migration.name} …")
                    await _run(connection, migration, say, patience_s)
                    ran.append(migration.name)
            make_months = partial(ensure_partitions, connection, utc_now())
            await in_short_waits(connection, "the coming months", make_months, say, patience_s)
            return ran
    finally:
        await connection.close()


@asynccontextmanager
async def _alone(connection: asyncpg.Connection, say: Say) -> AsyncIterator[None]:
    """Hold the lock of migrations.

    It is asked for again and again: whoever waits inside of `pg_advisory_lock` has a snapshot, for whose end a
    concurrent index of the one who holds the lock would wait.
    """
    told = False
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        if not told:
            say("another migration is running: waiting for it")
            told = True
        await asyncio.sleep(_LOCK_LOOK_S)
    yield


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now(), contract integer)"
    )
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'schema_migrations'::regclass"
        " AND attname = 'contract')"
    ):
        await connection.execute("ALTER TABLE schema_migrations ADD COLUMN contract integer")


async def _run(connection: asyncpg.Connection, migration: Migration, say: Say, patience_s: float) -> None:
    if migration.is_outside_transaction:
        for statement in split(migration.sql):
            await _step(connection, statement, say, patience_s)
        await _note(connection, migration)
    else:
        await in_short_waits(connection, migration.name, lambda: _at_once(connection, migration), say, patience_s)


async def _at_once(connection: asyncpg.Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(
            f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'"
        )
        await connection.execute(migration.sql)
        await _note(connection, migration)


async def _note(connection: asyncpg.Connection, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migrations (number, name, contract) VALUES ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.contract,
    )


async def _step(connection: asyncpg.Connection, statement: Statement, say: Say, patience_s: float) -> None:
    """One statement outside of a transaction; what waits for a lock that payments need waits for moments only."""
    if (index := read_index(statement)) is not None:
        await make_index(connection, index, say, patience_s)
        return
    say(f"  {statement.bare[:100]}")
    work: Callable[[], Awaitable[object]] = partial(_by_itself, connection, statement)
    while (await in_short_waits(connection, "that", work, say, patience_s)) and statement.has_note(_REPEATED):
        pass


async def _by_itself(connection: asyncpg.Connection, statement: Statement) -> int:
    """How many rows it changed, as the server tells."""
    await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    try:
        told = await connection.execute(statement.text)
    finally:
        await connection.execute("RESET lock_timeout")
    count = told.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
