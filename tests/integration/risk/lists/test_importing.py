"""Imports: batches can be sent again, a replacement counts all at once, and what came meanwhile is not lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
import pytest

from risk.lists.book import ListBook
from risk.lists.compiling import keep_lists
from risk.lists.entry import Entry
from risk.lists.importing import (
    Import,
    ImportOpen,
    Mode,
    Status,
    WrongBatch,
    WrongStatus,
    abandon,
    add_batch,
    begin_import,
    find_import,
    finish_some,
)
from risk.lists.keeping import count_by_field, read_lists
from tests.support.risk_lists import Desk

NOW = datetime(2026, 11, 22, 6, 0, 0, tzinfo=UTC)
numbers = count(1)


class Importing:
    """One import of a list, each step in a transaction of its own."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk = desk
        self.name = name
        self.id = ""

    async def begin(self, mode: Mode, source: str | None = None) -> Import:
        async with self.desk.pool.acquire() as connection, connection.transaction():
            held = await self.desk.held(connection, self.name)
            begun = await begin_import(connection, held, mode, person="li.wei", reason="a file", source=source)
        self.id = begun.id
        return begun

    async def send(self, number: int, entries: Sequence[Entry]) -> Import:
        async with self.desk.pool.acquire() as connection, connection.transaction():
            await self.desk.held(connection, self.name)
            found = await self._found(connection)
            return await add_batch(connection, self.desk.vault, found, number=number, entries=entries)

    async def finish(self) -> Import:
        while True:
            async with self.desk.pool.acquire() as connection, connection.transaction():
                await self.desk.held(connection, self.name)
                done = await finish_some(connection, await self._found(connection))
            if done.status is not Status.COMPILING:
                return done

    async def abandon(self) -> Import:
        async with self.desk.pool.acquire() as connection, connection.transaction():
            await self.desk.held(connection, self.name)
            return await abandon(connection, await self._found(connection))

    async def _found(self, connection: asyncpg.Connection) -> Import:
        found = await find_import(connection, self.name, self.id)
        assert found is not None
        return found


@pytest.fixture
async def importing(desk: Desk) -> Importing:
    name = f"import-{next(numbers)}"
    await desk.make(name)
    return Importing(desk, name)


async def listed(desk: Desk, name: str, *regions: str, at: datetime = NOW) -> list[bool | None]:
    """What a process that starts now says of them."""
    book = ListBook(desk.pool, desk.vault)
    await book.load()
    return [book.current.listed(name, "region", region, at) for region in regions]


async def test_a_merge_puts_entries_beside_those_that_are_there(desk: Desk, importing: Importing) -> None:
    await desk.put(importing.name, "region", "上海", "北京")
    await importing.begin(Mode.MERGE)
    await importing.send(1, await desk.entries("region", "北京", "广州"))
    await importing.send(2, await desk.entries("region", "深圳"))
    done = await importing.finish()
    assert (done.status, done.batches, done.added, done.renewed) == (Status.DONE, 2, 2, 1)
    assert await listed(desk, importing.name, "上海", "北京", "广州", "深圳", "成都") == [True] * 4 + [False]


async def test_a_batch_that_arrives_again_changes_nothing_and_one_that_is_ahead_is_refused(
    desk: Desk, importing: Importing
) -> None:
    await importing.begin(Mode.MERGE)
    first = await importing.send(1, await desk.entries("region", "上海"))
    assert await importing.send(1, await desk.entries("region", "somewhere else")) == first
    with pytest.raises(WrongBatch) as refused:
        await importing.send(3, await desk.entries("region", "北京"))
    assert refused.value.wanted == 2
    await importing.finish()
    assert await listed(desk, importing.name, "上海", "somewhere else", "北京") == [True, False, False]
    with pytest.raises(WrongStatus):
        await importing.send(2, await desk.entries("region", "北京"))


async def test_a_replacement_counts_all_at_once_and_not_before_its_end(desk: Desk, importing: Importing) -> None:
    await desk.put(importing.name, "region", "上海", "北京")
    await importing.begin(Mode.REPLACE)
    await importing.send(1, await desk.entries("region", "北京", "广州"))
    assert await listed(desk, importing.name, "上海", "北京", "广州") == [True, True, False]
    await importing.finish()
    assert await listed(desk, importing.name, "上海", "北京", "广州") == [False, True, True]


async def test_what_is_put_on_a_list_while_it_is_replaced_stays_on_it(desk: Desk, importing: Importing) -> None:
    await importing.begin(Mode.REPLACE)
    await importing.send(1, await desk.entries("region", "广州"))
    await desk.put(importing.name, "region", "上海")
    assert await listed(desk, importing.name, "上海", "广州") == [True, False]
    await importing.finish()
    assert await listed(desk, importing.name, "上海", "广州") == [True, True]


async def test_what_is_taken_off_a_list_while_it_is_replaced_does_not_come_back_with_the_replacement(
    desk: Desk, importing: Importing
) -> None:
    await importing.begin(Mode.REPLACE)
    await importing.send(1, await desk.entries("region", "广州", "深圳"))
    await desk.put(importing.name, "region", "上海")
    assert await desk.remove(importing.name, "region", "上海") == 1
    assert await desk.remove(importing.name, "region", "深圳") == 0
    done = await importing.finish()
    assert await listed(desk, importing.name, "上海", "广州", "深圳") == [False, True, False]
    counts = await count_by_field(desk.pool, [done.edition])
    assert counts[done.edition] == {"region": 1}


async def test_a_single_change_during_a_merge_counts_at_once_and_leaves_the_rest_to_the_end(
    desk: Desk, importing: Importing, pool: asyncpg.Pool
) -> None:
    await importing.begin(Mode.MERGE)
    await importing.send(1, await desk.entries("region", *(f"region {number}" for number in range(500))))
    await desk.put(importing.name, "region", "上海")
    assert await listed(desk, importing.name, "上海") == [True]
    assert await pool.fetchval("SELECT count(*) FROM risk_list_stale") > 400
    await importing.finish()
    assert await listed(desk, importing.name, "上海", "region 0", "region 499") == [True] * 3


async def test_one_import_of_a_list_is_under_way_at_a_time(desk: Desk, importing: Importing) -> None:
    begun = await importing.begin(Mode.MERGE)
    with pytest.raises(ImportOpen) as refused:
        await importing.begin(Mode.REPLACE)
    assert refused.value.import_id == begun.id
    assert (await importing.abandon()).status is Status.ABANDONED
    with pytest.raises(WrongStatus):
        await importing.finish()
    assert (await importing.begin(Mode.REPLACE)).status is Status.OPEN


async def test_whoever_begins_the_same_import_again_goes_on_with_it(desk: Desk, importing: Importing) -> None:
    begun = await importing.begin(Mode.REPLACE, "a file of today")
    sent = await importing.send(1, await desk.entries("region", "上海"))
    assert await importing.begin(Mode.REPLACE, "a file of today") == sent
    assert sent.id == begun.id
    for mode, source in ((Mode.MERGE, "a file of today"), (Mode.REPLACE, "another file"), (Mode.REPLACE, None)):
        with pytest.raises(ImportOpen):
            await importing.begin(mode, source)
    await importing.finish()
    assert (await importing.begin(Mode.REPLACE, "a file of today")).id != begun.id


async def test_what_nobody_finishes_is_dropped_or_counts_by_the_worker(
    desk: Desk, importing: Importing, pool: asyncpg.Pool
) -> None:
    await importing.begin(Mode.MERGE)
    await importing.send(1, await desk.entries("region", "上海"))
    await importing.abandon()
    await importing.begin(Mode.REPLACE)
    begun = await importing.send(1, await desk.entries("region", "北京"))
    await pool.execute("UPDATE risk_list_imports SET touched_at = now() - interval '8 days' WHERE id = $1", begun.id)
    await keep_lists(pool)
    assert await listed(desk, importing.name, "上海", "北京") == [True, False]
    assert await pool.fetchval("SELECT count(*) FROM risk_list_entries WHERE edition = $1", begun.edition) == 0
    assert await pool.fetchval("SELECT count(*) FROM risk_list_editions WHERE id = $1", begun.edition) == 0


async def test_the_worker_sweeps_what_has_expired_an_hour_ago_and_the_edition_that_was_replaced(
    desk: Desk, importing: Importing, pool: asyncpg.Pool
) -> None:
    now: datetime = await pool.fetchval("SELECT now()")
    await desk.put(importing.name, "region", "long over", expires_at=now - timedelta(hours=2))
    await desk.put(importing.name, "region", "just over", expires_at=now - timedelta(minutes=1))
    await desk.put(importing.name, "region", "上海")
    await keep_lists(pool)
    [row] = await read_lists(pool, importing.name)
    assert row.entries == 2
    assert await count_by_field(pool, [row.edition]) == {row.edition: {"region": 2}}
    assert await listed(desk, importing.name, "上海", "just over", "long over", at=now) == [True, False, False]
    await importing.begin(Mode.REPLACE)
    await importing.finish()
    await keep_lists(pool)
    assert await pool.fetchval("SELECT count(*) FROM risk_list_entries WHERE edition = $1", row.edition) == 0
    assert await listed(desk, importing.name, "上海") == [False]
