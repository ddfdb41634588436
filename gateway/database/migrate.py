"""Brings a database to the newest schema: numbered SQL files, forward only, each in one transaction, under one lock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import asyncpg

from gateway.database.partitions import ensure_partitions
from gateway.kernel.clock import utc_now

_LOCK: Final = 0x6D617368616E67
"""Key of the advisory lock that lets only one migration run at a time ("mashang" in ASCII)."""
_NAME: Final = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str


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


async def migrate(database_url: str) -> list[str]:
    """Run what has not run yet and make the partitions of the coming months; returns the names of what ran."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {row["number"] for row in await connection.fetch("SELECT number FROM schema_migrations")}
        ran = []
        for migration in migrations():
            if migration.number not in done:
                await _run(connection, migration)
                ran.append(migration.name)
        await ensure_partitions(connection, utc_now())
        return ran
    finally:
        await connection.close()


async def _run(connection: asyncpg.Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", migration.number, migration.name
        )
