"""Migrations while others work: short waits for locks, indexes beside everything else, and whoever comes on top."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from gateway.database import concurrent, locking
from gateway.database import migrate as migrating
from gateway.database.locking import StillLocked
from gateway.database.migrate import Migration, migrate, migrations
from gateway.database.partitions import ensure_partitions, make_month, month_start
from gateway.database.rules import breaches
from gateway.database.schema_state import SchemaMismatch, await_schema, require_fit, state_of
from gateway.kernel.clock import utc_now
from tests.support.servers import TestServers
from tests.support.waiting import eventually

Add: TypeAlias = Callable[..., None]
KNOWN = len(migrations())
DOCS = Path(__file__).parents[3] / "docs"
GUIDE, RECIPES = DOCS / "upgrading.md", DOCS / "growing.md"
INSERT = (
    "INSERT INTO {} (payment_id, merchant_id, seq, type, to_status, at)"
    " VALUES ('pay_0', 'm', 1, 'x', 'y', now()) ON CONFLICT DO NOTHING"
)
INDEX = "-- outside transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS events_by_type ON events (type, at);"


@pytest.fixture
def url(migrated_servers: TestServers) -> str:
    """A migrated database of the test's own."""
    return migrated_servers.clone_database()


@pytest_asyncio.fixture
async def database(url: str, migrated_servers: TestServers) -> AsyncIterator[asyncpg.Connection]:
    """A connection to it; it goes with the test."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()
    migrated_servers.drop_database(url)


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> Add:
    """Adds migrations after those that there are."""

    def add(*sqls: str) -> None:
        more = [Migration(KNOWN + place, f"{KNOWN + place:04d}_x.sql", sql) for place, sql in enumerate(sqls, 1)]
        all_of_them = [*migrations(), *more]
        monkeypatch.setattr(migrating, "migrations", lambda: all_of_them)

    return add


async def _valid(database: asyncpg.Connection, name: str) -> bool | None:
    found: bool | None = await database.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name
    )
    return found


async def test_a_change_waits_for_its_lock_for_moments_and_lets_payments_pass(
    database: asyncpg.Connection, url: str, one_more: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "_PAUSE_S_FIRST", 0.05)
    one_more("ALTER TABLE events ADD COLUMN more integer")
    reader = await asyncpg.connect(url)
    told: list[str] = []
    held = reader.transaction()
    await held.start()
    await reader.fetch("SELECT FROM events LIMIT 1")
    changing = asyncio.create_task(migrate(url, told.append))
    slowest_s = 0.0
    while not [line for line in told if "waits for a lock" in line][1:]:
        began = asyncio.get_running_loop().time()
        await database.execute(INSERT.format("events"))
        slowest_s = max(slowest_s, asyncio.get_running_loop().time() - began)
        await asyncio.sleep(0.01)
    assert 0.1 < slowest_s < 1.0, "somebody waited behind the change, and not for long"
    assert "has a transaction open" in "".join(told), told
    await held.rollback()
    await reader.close()
    assert await changing == [f"{KNOWN + 1:04d}_x.sql"]
    assert await database.fetch("SELECT more FROM events")


async def test_nobody_waits_for_long_behind_the_months_that_are_made(database: asyncpg.Connection, url: str) -> None:
    reader, maker = await asyncpg.connect(url), await asyncpg.connect(url)
    held = reader.transaction()
    await held.start()
    await reader.fetch("SELECT FROM events_default LIMIT 1")  # the table itself is to be had, and held meanwhile
    making = asyncio.create_task(ensure_partitions(maker, month_start(utc_now(), 9)))
    slowest_s = 0.0
    while not making.done():
        began = asyncio.get_running_loop().time()
        await database.execute(INSERT.format("events"))
        slowest_s = max(slowest_s, asyncio.get_running_loop().time() - began)
        await asyncio.sleep(0.005)
    with pytest.raises(asyncpg.LockNotAvailableError):
        await making
    assert 0.05 < slowest_s < 0.8, "somebody waited behind it, and not for long"
    await held.rollback()
    for connection in (reader, maker):
        await connection.close()


async def test_a_vacuum_gives_way_before_the_change_lets_payments_pass(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    one_more("CREATE TABLE seen AS SELECT name, setting::int FROM pg_settings WHERE name LIKE '%_timeout'")
    await migrate(url)
    seen = dict(await database.fetch("SELECT name, setting FROM seen"))
    assert 0 < seen["deadlock_timeout"] < seen["lock_timeout"], "an autovacuum is cancelled by the deadlock check"


async def test_a_role_that_may_not_make_vacuums_give_way_migrates_all_the_same(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    await database.execute(
        "DROP ROLE IF EXISTS plain_migrator; CREATE ROLE plain_migrator LOGIN;"
        " GRANT CREATE ON SCHEMA public TO plain_migrator; SET ROLE plain_migrator"
    )
    await locking.let_vacuums_give_way(database)
    assert await database.fetchval("SHOW deadlock_timeout") == "1s"
    await database.execute("RESET ROLE; DROP OWNED BY plain_migrator; DROP ROLE plain_migrator")


async def test_whoever_never_gets_the_lock_gives_up_with_nothing_done(
    database: asyncpg.Connection, url: str, one_more: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_more("CREATE TABLE half (a int); ALTER TABLE events ADD COLUMN more integer")
    async with database.transaction():
        await database.execute("LOCK TABLE events IN SHARE MODE")
        with pytest.raises(StillLocked, match="has a transaction open"):
            await migrate(url, patience_s=0)
    assert await database.fetchval("SELECT to_regclass('half')") is None
    assert await migrate(url) == [f"{KNOWN + 1:04d}_x.sql"]


async def test_an_index_of_a_table_divided_by_month_is_made_of_each_part(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    one_more(INDEX)
    await migrate(url)
    assert await _valid(database, "events_by_type") is True
    parts = await database.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'events'::regclass"
    )
    assert len(parts) >= 4
    for part in parts:
        assert await _valid(database, "events_by_type" + part["name"].removeprefix("events")) is True
    await make_month(database, month_start(utc_now(), 7))
    assert await _valid(database, "events_by_type") is True, "a new month has it at once"


async def test_an_index_is_made_as_it_is_written_whatever_comments_stand_in_it(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    one_more(
        "-- outside transaction\nCREATE INDEX CONCURRENTLY /* of every month */ IF NOT EXISTS events_by_type\n"
        "    ON events (type, at) -- those of two kinds\n    WHERE type IN ('a  -- b', 'c')"
    )
    await migrate(url)
    made = await database.fetchval("SELECT pg_get_indexdef('events_by_type_default'::regclass)")
    assert "(type, at) WHERE" in made
    assert "'a  -- b'" in made


async def test_a_month_that_is_made_while_the_index_is_has_it_too(
    database: asyncpg.Connection, url: str, one_more: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_more(INDEX)
    plain = concurrent._make_plain
    months: list[str] = []

    async def make(connection: asyncpg.Connection, index: concurrent.Index, say: locking.Say) -> None:
        if not months:
            months.extend(await make_month(database, month_start(utc_now(), 7)))
        await plain(connection, index, say)

    monkeypatch.setattr(concurrent, "_make_plain", make)
    await migrate(url)
    assert months
    assert await _valid(database, "events_by_type") is True


async def test_an_index_that_was_broken_off_is_made_anew(
    database: asyncpg.Connection, url: str, one_more: Add, migrated_servers: TestServers
) -> None:
    one_more(INDEX)
    holder = await asyncpg.connect(url)
    held = holder.transaction()
    await held.start()
    await holder.execute(INSERT.format("events_default"))  # not by way of the parent, whose own index waits for writers
    changing = asyncio.create_task(migrate(url))

    async def is_waiting() -> bool:
        return bool(
            await database.fetchval(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'"
                " AND wait_event_type = 'Lock' AND datname = current_database()"
            )
        )

    await eventually(is_waiting)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await changing
    await held.rollback()
    await holder.close()
    state = await state_of(url)
    assert [name for name in state.invalid_indexes if name.startswith("events_by_type_default on")], state
    told: list[str] = []
    await migrate(url, told.append)
    assert any("was broken off" in line for line in told), told
    assert await _valid(database, "events_by_type") is True
    assert not (await state_of(url)).invalid_indexes


async def test_another_migration_waits_and_does_not_stop_an_index_that_is_being_made(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    one_more(INDEX)
    told: list[str] = []
    ran = await asyncio.gather(*(migrate(url, told.append) for _ in range(3)))
    assert sorted(ran) == [[], [], [f"{KNOWN + 1:04d}_x.sql"]]
    assert any("another migration is running" in line for line in told)
    assert await _valid(database, "events_by_type") is True


async def test_rows_are_changed_some_at_a_time_until_none_is_left(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    await database.execute("CREATE TABLE ten (id int, done bool); INSERT INTO ten SELECT generate_series(1, 10)")
    one_more(
        "-- outside transaction\n-- until none is left\n"
        "UPDATE ten SET done = true WHERE id IN (SELECT id FROM ten WHERE done IS NULL LIMIT 3);"
    )
    await migrate(url)
    assert await database.fetchval("SELECT count(*) FROM ten WHERE done") == 10


async def test_what_failed_in_the_middle_goes_on_from_there(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    one_more(INDEX + "SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url)
    assert (await state_of(url)).pending == []
    assert len((await state_of(url)).ran) == KNOWN
    one_more(INDEX)
    assert await migrate(url) == [f"{KNOWN + 1:04d}_x.sql"]


async def test_code_of_before_runs_on_a_newer_schema_until_what_it_uses_is_given_up(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    one_more("CREATE TABLE a (b int)", f"-- contract: {KNOWN:04d}\nALTER TABLE a DROP COLUMN b")
    await migrate(url)
    await require_fit(url)
    assert (await state_of(url)).newer == [f"{KNOWN + 1:04d}_x.sql", f"{KNOWN + 2:04d}_x.sql"]
    one_more("", "", f"-- contract: {KNOWN + 1:04d}\nDROP TABLE a")
    await migrate(url)
    with pytest.raises(SchemaMismatch, match=f"older than schema {KNOWN + 1:04d}"):
        await require_fit(url)


async def test_code_does_not_start_on_a_schema_that_lacks_something(servers: TestServers) -> None:
    url = servers.create_database()
    with pytest.raises(SchemaMismatch, match="run `mashang migrate` first"):
        await require_fit(url)
    waiting = asyncio.create_task(await_schema(url, 20))
    assert not await await_schema(url, 0)
    await migrate(url)
    assert await waiting
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER TABLE schema_migrations DROP COLUMN contract")
    await connection.close()
    await require_fit(url)
    assert await migrate(url) == [], "a database that migrations of before have made gets the column"
    servers.drop_database(url)


async def test_the_example_of_the_guide_keeps_the_rules_and_runs_twice(
    database: asyncpg.Connection, url: str, one_more: Add
) -> None:
    [example] = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    one_more(example)
    assert breaches([Migration(KNOWN + 1, "example.sql", example)]) == []
    await migrate(url)
    await database.execute("DELETE FROM schema_migrations WHERE number = $1", KNOWN + 1)
    await migrate(url)
    assert await _valid(database, "payments_by_note") is True


async def test_the_recipe_for_an_index_by_hand_makes_one_of_every_month(database: asyncpg.Connection) -> None:
    [recipe] = re.findall(
        r"```\n(CREATE INDEX payments_by_store .*?)```", RECIPES.read_text(encoding="utf-8"), re.DOTALL
    )
    alone, *of_a_month = [line.partition("  --")[0] for line in recipe.strip().splitlines()]
    await database.execute(alone)
    parts = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'payments'::regclass"
    for part in await database.fetch(parts):
        for line in of_a_month:
            await database.execute(line.replace("_2026_11", part["name"].removeprefix("payments")))
    assert await _valid(database, "payments_by_store") is True
