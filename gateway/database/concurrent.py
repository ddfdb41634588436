"""Indexes that are made while payments go on: CREATE INDEX CONCURRENTLY, for tables divided by month too.

PostgreSQL makes no index concurrently over partitions: it is made for each of them, and attached to one of the table
alone, which is valid once all have been (PostgreSQL's manual, "Table Partitioning", 5.12.2).  What was broken off
leaves an index that is written and never read: it is dropped and made anew.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import asyncpg

from gateway.database.locking import LOCK_TIMEOUT, Say, in_short_waits
from gateway.database.statements import Statement, without_comments

_INDEX: Final = re.compile(
    r"\s*create\s+(?P<unique>unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+(?P<name>\w+)\s+on\s+"
    r"(?P<table>\w+)(?![\w.])",
    re.IGNORECASE,
)
_NAME_MAX: Final = 63
_MISSING: Final = """
SELECT c.relname::text AS partition
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = $1::regclass AND NOT i.inhdetachpending AND NOT EXISTS (
    SELECT FROM pg_inherits ii JOIN pg_index x ON x.indexrelid = ii.inhrelid
    WHERE ii.inhparent = $2::regclass AND x.indrelid = c.oid
)
ORDER BY c.relname
"""
INVALID: Final = """
SELECT c.relname::text AS name, x.indrelid::regclass::text AS of_table
FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT x.indisvalid AND n.nspname = current_schema()
ORDER BY c.relname
"""


class NotMade(Exception):
    """An index could not be made; the message says which."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index to be made; `definition` is what stands behind its table, columns first."""

    name: str
    table: str
    definition: str
    is_unique: bool

    @property
    def _kind(self) -> str:
        return "UNIQUE INDEX" if self.is_unique else "INDEX"

    @property
    def concurrently(self) -> str:
        """The statement that makes it beside everything else."""
        return f"CREATE {self._kind} CONCURRENTLY IF NOT EXISTS {self.name} ON {self.table} {self.definition}"

    @property
    def of_the_table_alone(self) -> str:
        """The statement that makes it for a divided table without its partitions."""
        return f"CREATE {self._kind} IF NOT EXISTS {self.name} ON ONLY {self.table} {self.definition}"

    def of(self, partition: str) -> Index:
        """The same of one partition, which is called like its table and something more.  Raises NotMade."""
        name = self.name + partition.removeprefix(self.table)
        if len(name) > _NAME_MAX:
            raise NotMade(f"{name} has more than {_NAME_MAX} letters, which PostgreSQL would cut off")
        return replace(self, name=name, table=partition)


def read_index(statement: Statement) -> Index | None:
    """The index that a statement makes concurrently; None where it does something else."""
    if _INDEX.match(statement.bare) is None:
        return None
    match = _INDEX.match(without_comments(statement.text))
    if match is None:
        raise NotMade(f"write the head of this without quotes: {statement.bare[:80]}")
    return Index(match["name"], match["table"], match.string[match.end() :].strip(), match["unique"] is not None)


async def make_index(connection: asyncpg.Connection, index: Index, say: Say, patience_s: float) -> None:
    """Make it, whatever an earlier try has left.  Raises NotMade, StillLocked, and what PostgreSQL says."""
    if not await is_partitioned(connection, index.table):
        await _make_plain(connection, index, say)
        return
    locked = partial(_locking, connection)
    alone = partial(locked, index.of_the_table_alone)
    await in_short_waits(connection, f"the index of {index.table} alone", alone, say, patience_s)
    # A month that is made from here on has the index at once: PostgreSQL copies those of the table.
    for row in await connection.fetch(_MISSING, index.table, index.name):
        part = index.of(row["partition"])
        await _make_plain(connection, part, say)
        attach = partial(locked, f"ALTER INDEX {index.name} ATTACH PARTITION {part.name}")
        await in_short_waits(connection, f"attaching {part.name}", attach, say, patience_s)
    if not await _is_valid(connection, index.name):
        raise NotMade(f"{index.name} is not valid although every partition of {index.table} has its index")


async def is_partitioned(connection: asyncpg.Connection, table: str) -> bool:
    """Whether a table is divided.  Raises asyncpg.UndefinedTableError where there is none."""
    kind: bytes = await connection.fetchval("SELECT relkind FROM pg_class WHERE oid = $1::regclass", table)
    return kind == b"p"


async def _make_plain(connection: asyncpg.Connection, index: Index, say: Say) -> None:
    """Its waits for other transactions hold nobody up, so they have no bound."""
    if await _is_valid(connection, index.name) is False:
        say(f"  {index.name} was broken off by an earlier try: dropping it")
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
    began = time.monotonic()
    await connection.execute(index.concurrently)
    if not await _is_valid(connection, index.name):
        raise NotMade(f"{index.name} is not valid after it was made")
    say(f"  {index.name} on {index.table}: {time.monotonic() - began:.1f} s")


async def _is_valid(connection: asyncpg.Connection, name: str) -> bool | None:
    """None where there is no such index."""
    valid: bool | None = await connection.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name
    )
    return valid


async def _locking(connection: asyncpg.Connection, statement: str) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await connection.execute(statement)
