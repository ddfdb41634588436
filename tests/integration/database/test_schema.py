"""schema.sql is what the migrations make; migrations run forward only, once, whoever runs them at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from gateway.database import migrate as migrating
from gateway.database.dump_schema import SCHEMA, dump, pg_dumped
from gateway.database.migrate import migrate, migrations
from gateway.database.partitions import ensure_partitions, month_start
from gateway.kernel.ids import first_ulid_at
from tests.support.servers import TestServers


def without_restrict_lines(dumped: str) -> str:
    """pg_dump guards its output with a random word at each run."""
    return "\n".join(line for line in dumped.splitlines() if "restrict " not in line)


async def test_the_schema_file_is_what_the_migrations_make(database_url: str) -> None:
    made = await asyncio.to_thread(dump, database_url)
    assert made == SCHEMA.read_text(encoding="utf-8"), "run `make schema` and look at what changed"


async def test_an_empty_database_that_loads_the_schema_file_has_the_migrated_schema(
    servers: TestServers, database_url: str
) -> None:
    loaded_url = servers.create_database()
    connection = await asyncpg.connect(loaded_url)
    await connection.execute(SCHEMA.read_text(encoding="utf-8"))
    await connection.close()
    migrated = await asyncio.to_thread(pg_dumped, database_url)
    loaded = await asyncio.to_thread(pg_dumped, loaded_url)
    servers.drop_database(loaded_url)
    assert without_restrict_lines(loaded) == without_restrict_lines(migrated)


async def test_running_the_migrations_again_changes_nothing(database_url: str) -> None:
    before = without_restrict_lines(await asyncio.to_thread(pg_dumped, database_url))
    assert await migrate(database_url) == []
    assert without_restrict_lines(await asyncio.to_thread(pg_dumped, database_url)) == before


async def test_two_migrations_at_once_run_each_file_once(servers: TestServers) -> None:
    url = servers.create_database()
    ran = await asyncio.gather(migrate(url), migrate(url), migrate(url))
    servers.drop_database(url)
    assert sorted(ran) == [[], [], [migration.name for migration in migrations()]]


async def test_a_migration_that_fails_leaves_nothing_behind(
    servers: TestServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = servers.create_database()
    bad = migrating.Migration(1, "0001_bad.sql", "CREATE TABLE half (id int); SELECT 1 / 0")
    monkeypatch.setattr(migrating, "migrations", lambda: [bad])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    assert await connection.fetchval("SELECT count(*) FROM schema_migrations") == 0
    await connection.close()
    servers.drop_database(url)


@pytest.mark.parametrize(
    "names", [["0002_later.sql"], ["0001_one.sql", "0003_three.sql"], ["0001_a.sql", "0001_b.sql"]]
)
def test_migrations_without_a_gap_and_without_doubles_only(
    names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("SELECT 1")
    monkeypatch.setattr(migrating, "files", lambda _: tmp_path)
    with pytest.raises(ValueError, match="without a gap"):
        migrations()


async def test_every_payment_of_the_coming_months_has_a_partition_of_its_own(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    now = datetime.now(UTC)
    assert await ensure_partitions(connection, now) == []
    for offset in range(3):
        moment = month_start(now, offset)
        sizes = await connection.fetchval(
            "SELECT count(*) FROM pg_class WHERE relname = ANY ($1)",
            [f"{table}_{moment:%Y_%m}" for table in ("payments", "attempts", "events", "transfers")],
        )
        assert sizes == 4
    await connection.close()


async def test_a_months_partition_takes_exactly_the_ids_made_in_that_month(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    start, end = datetime(2031, 12, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)
    await ensure_partitions(connection, start)
    first = f"pay_{first_ulid_at(start)}"
    for payment_id in (first, f"pay_{first_ulid_at(end)}", "pay_0"):
        await connection.execute(
            "INSERT INTO events (payment_id, merchant_id, seq, type, to_status, at)"
            " VALUES ($1, 'm', 1, 'x', 'y', now())",
            payment_id,
        )
    found = await connection.fetch("SELECT payment_id, tableoid::regclass::text AS part FROM events")
    assert {record["payment_id"]: record["part"] for record in found} == {
        first: "events_2031_12",
        f"pay_{first_ulid_at(end)}": "events_2032_01",
        "pay_0": "events_default",
    }
    await connection.close()
