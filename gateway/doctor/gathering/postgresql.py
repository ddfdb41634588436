"""Reads PostgreSQL's facts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from gateway.database.partitions import MONTHLY, month_start
from gateway.database.schema_state import read_state
from gateway.doctor.gathering.connection import SQL
from gateway.doctor.judging.postgresql import PostgresFacts, Standby
from gateway.kernel.clock import utc_now
from gateway.settings import Settings

_HOT_CONNECTIONS: Final = 5
"""Beside the pool of MASHANG_DATABASE_POOL_SIZE (gateway.composition)."""
_SETTINGS: Final = (
    "TimeZone",
    "archive_mode",
    "autovacuum",
    "data_checksums",
    "fsync",
    "full_page_writes",
    "max_connections",
    "superuser_reserved_connections",
    "synchronous_standby_names",
)


async def gather_postgresql(connection: asyncpg.Connection, settings: Settings, processes: int) -> PostgresFacts:
    """Raises what asyncpg raises."""
    offset_s, round_trip_ms = await _clock(connection)
    server: Mapping[str, Any] = dict(await connection.fetchrow(SQL["server"]) or {})
    standbys = await connection.fetch(SQL["standbys"])
    transactions = await connection.fetchrow(SQL["transactions"])
    assert transactions is not None
    return PostgresFacts(
        **server,
        settings={row["name"]: row["setting"] for row in await connection.fetch(SQL["settings"], list(_SETTINGS))},
        standbys=[Standby(row["name"], row["sync_state"], row["lag_s"]) for row in standbys],
        clock_offset_s=offset_s,
        round_trip_ms=round_trip_ms,
        schema=await read_state(connection),
        missing_partitions=await _missing(connection),
        strays=await _strays(connection),
        idle_in_transaction_s=transactions["idle_s"],
        oldest_transaction_s=transactions["oldest_s"],
        hidden_sessions=transactions["hidden"],
        processes=processes,
        connections_per_process=settings.database_pool_size + _HOT_CONNECTIONS,
    )


async def _clock(connection: asyncpg.Connection) -> tuple[float, float]:
    """Its clock less ours (s), and a round trip (ms): the shortest of three, which says most of both."""
    best: tuple[float, timedelta] | None = None
    await connection.fetchval(SQL["clock"])  # what is prepared takes one trip
    for _ in range(3):
        sent, began = datetime.now(UTC), time.monotonic()
        theirs = await connection.fetchval(SQL["clock"])
        took = time.monotonic() - began
        if best is None or took < best[0]:
            best = took, theirs - (sent + timedelta(seconds=took / 2))
    assert best is not None
    return best[1].total_seconds(), best[0] * 1_000


async def _missing(connection: asyncpg.Connection) -> list[str]:
    """Partitions of this month and the next that are not there."""
    starts = [month_start(utc_now(), offset) for offset in (0, 1)]
    wanted = [f"{table}_{start:%Y_%m}" for start in starts for table in MONTHLY]
    return [row["name"] for row in await connection.fetch(SQL["missing"], wanted)]


async def _strays(connection: asyncpg.Connection) -> Sequence[str]:
    """Tables whose default partition holds rows; names are our own, and DDL takes no parameters."""
    found = []
    for table in MONTHLY:
        default = f"{table}_default"
        if await connection.fetchval("SELECT to_regclass($1)", default) is None:
            continue
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {default})"):  # noqa: S608
            found.append(table)
    return found
