"""Entries are dense and chained whoever adds them at once; nobody changes them; they are read newest first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.trail.chain import verify
from gateway.trail.entry import Deed
from gateway.trail.store import TrailFilter, append, newest
from tests.support.rows import settings
from tests.support.waiting import eventually

WAITING = (
    "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    " WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted)"
)


def deed(subject: str = "wechat_direct", action: str = "channel_account.changed") -> Deed:
    return Deed("admin", None, "127.0.0.1", action, subject, '{"changed":{}}')


async def add(pool: asyncpg.Pool, one: Deed, *, fails: bool = False) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await append(connection, one)
        if fails:
            raise RuntimeError("after the entry")


async def test_entries_of_several_processes_at_once_are_dense_and_chained(
    connection: asyncpg.Connection, database_url: str
) -> None:
    """Pools stand for processes; some of their transactions fail after they have added their entry."""
    pools = [await open_pool(settings(database_url), size=4) for _ in range(3)]
    try:
        done = await asyncio.gather(
            *[add(pools[number % 3], deed(f"a-{number}"), fails=number % 5 == 0) for number in range(60)],
            return_exceptions=True,
        )
    finally:
        for pool in pools:
            await pool.close()
    failed = [outcome for outcome in done if outcome is not None]
    assert [str(outcome) for outcome in failed] == ["after the entry"] * 12
    numbers = [record["seq"] for record in await connection.fetch("SELECT seq FROM audit_trail ORDER BY seq")]
    assert numbers == list(range(1, 49))
    verified = await verify(connection)
    assert (verified.holds, verified.count) == (True, 48)
    times = [record["at"] for record in await connection.fetch("SELECT at FROM audit_trail ORDER BY seq")]
    assert times == sorted(times)


async def test_an_entry_waits_for_the_transaction_that_added_the_one_before(
    connection: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    async with pool.acquire() as first:
        transaction = first.transaction()
        await transaction.start()
        await append(first, deed("first"))
        second = asyncio.create_task(add(pool, deed("second")))
        await eventually(lambda: connection.fetchval(WAITING))
        assert not second.done()
        await transaction.rollback()
        await second
    assert await connection.fetch("SELECT seq, subject FROM audit_trail") == [(1, "second")]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_trail SET actor = 'nobody'", "DELETE FROM audit_trail", "TRUNCATE audit_trail",
     "UPDATE audit_trail SET hash = '' WHERE seq = 99"],
)  # fmt: skip
async def test_the_trail_is_append_only(connection: asyncpg.Connection, pool: asyncpg.Pool, statement: str) -> None:
    await add(pool, deed())
    await connection.execute("ALTER TABLE audit_trail ENABLE TRIGGER audit_trail_stays")
    try:
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute(statement)
    finally:
        await connection.execute("ALTER TABLE audit_trail DISABLE TRIGGER audit_trail_stays")
    assert (await verify(connection)).count == 1


async def test_the_newest_come_first_by_pages_and_filters(connection: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    for number in range(6):
        await add(pool, deed(f"s-{number % 2}", f"a.{number % 3}"))

    async def found(wanted: TrailFilter, limit: int = 10, before: int | None = None) -> list[int]:
        return [sealed.entry.seq for sealed in await newest(pool, wanted, limit, before)]

    assert await found(TrailFilter()) == [6, 5, 4, 3, 2, 1]
    assert await found(TrailFilter(), 2, 5) == [4, 3]
    assert await found(TrailFilter(subject="s-1")) == [6, 4, 2]
    assert await found(TrailFilter(action="a.2")) == [6, 3]
    assert await found(TrailFilter(subject="s-1", action="a.2")) == [6]
    at = await connection.fetchval("SELECT at FROM audit_trail WHERE seq = 3")
    assert await found(TrailFilter(at_from=at)) == [6, 5, 4, 3]
    assert await found(TrailFilter(at_to=at)) == [2, 1]
    assert await found(TrailFilter(at_from=at + timedelta(hours=1))) == []
