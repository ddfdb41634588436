"""The audit trail in PostgreSQL: entries are added in the transaction of what they tell of, and read newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from gateway.database.pool import Connection, named_statements
from gateway.trail.entry import NO_HASH, Deed, Entry, entry_of

SQL: Final = named_statements("gateway.trail", "statements.sql")
SEQ_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """Which entries to list; None leaves a condition out."""

    subject: str | None = None
    action: str | None = None
    at_from: datetime | None = None
    at_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry with the hash that it was stored with."""

    entry: Entry
    hash: bytes


async def append(connection: Connection, deed: Deed) -> Entry:
    """Add an entry; the last thing to do in a transaction, for every other change waits until that one ends."""
    await connection.execute(SQL["lock"])
    last = await connection.fetchrow(SQL["head"])
    assert last is not None
    entry = Entry(last["seq"] + 1, last["at"], deed)
    await connection.execute(
        SQL["add"],
        entry.seq,
        entry.at,
        deed.actor,
        deed.person,
        deed.address,
        deed.action,
        deed.subject,
        deed.detail,
        entry.hash_after(last["hash"] or NO_HASH),
    )
    return entry


async def newest(
    database: asyncpg.Pool | Connection, wanted: TrailFilter, limit: int, before: int | None
) -> Sequence[Sealed]:
    """Entries, newest first, at most `limit`, with lower numbers than `before`."""
    records = await database.fetch(
        SQL["newest"],
        SEQ_MAX if before is None else before,
        wanted.subject,
        wanted.action,
        wanted.at_from,
        wanted.at_to,
        limit,
    )
    return [sealed_of(record) for record in records]


def sealed_of(record: asyncpg.Record) -> Sealed:
    """A row as a value."""
    return Sealed(entry_of(record), record["hash"])
