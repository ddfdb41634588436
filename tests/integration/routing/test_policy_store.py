"""Policies in the store: versions that stay, one in force, back in one call, and in every process within a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.kernel.metrics import POLICY_VERSION
from routing.policy.document import parse
from routing.policy.reading import PolicyError
from routing.policy.rules import PolicyDocument
from routing.policy.splits import Splits
from routing.policy.store import (
    NoSuchVersion,
    PolicyBook,
    PolicyChanged,
    StoredPolicy,
    find,
    history,
    in_force,
    publish,
    roll_back,
)
from tests.support.rows import settings
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
async def only_the_first(pool: asyncpg.Pool) -> None:
    """As the migration leaves it."""
    await pool.execute("DELETE FROM routing_publications WHERE version > 0 OR seq > 1")
    await pool.execute("DELETE FROM routing_policies WHERE version > 0")


def document(note: str, **more: Any) -> PolicyDocument:
    return parse({"note": note, "rules": [{"name": "r", "when": "true", "exclude": ["gone"]}], **more}, None)


async def put(pool: asyncpg.Pool, note: str, base_version: int | None = None) -> StoredPolicy:
    async with pool.acquire() as connection, connection.transaction():
        return (await publish(connection, document(note), base_version)).policy


async def back(pool: asyncpg.Pool, version: int | None = None) -> StoredPolicy:
    async with pool.acquire() as connection, connection.transaction():
        return (await roll_back(connection, version)).policy


async def test_in_the_beginning_a_policy_without_rules_is_in_force(pool: asyncpg.Pool) -> None:
    stored = await in_force(pool)
    assert (stored.version, parse(stored.document, frozenset())) == (0, PolicyDocument(note="No rules."))
    book = PolicyBook(pool)
    await book.reload()
    assert (book.current.version, book.current.document.rules) == (0, ())


async def test_versions_are_numbered_and_stay_as_they_were(pool: asyncpg.Pool) -> None:
    first, second = await put(pool, "one"), await put(pool, "two")
    assert (first.version, second.version) == (1, 2)
    assert first.document == document("one").to_json()
    assert await in_force(pool) == second
    assert await find(pool, 1) == first
    assert await find(pool, 3) is None
    assert [stored.version for stored in await history(pool, 10)] == [2, 1, 0]
    assert [stored.version for stored in await history(pool, 1, before=2)] == [1]


async def test_the_same_policy_again_is_no_new_version(pool: asyncpg.Pool) -> None:
    first = await put(pool, "one")
    assert await put(pool, "one") == first
    assert await put(pool, "one", base_version=0) == first, "a repeated request has been carried out"
    assert [stored.version for stored in await history(pool, 10)] == [1, 0]


async def test_what_was_in_force_before_is_told(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        ends = [await publish(connection, document(note)) for note in ("one", "two", "two")]
        ends += [await roll_back(connection, 0), await roll_back(connection, 0)]
    assert [(end.before, end.policy.version) for end in ends] == [(0, 1), (1, 2), (2, 2), (2, 0), (0, 0)]


async def test_going_back_goes_to_what_was_in_force_before(pool: asyncpg.Pool) -> None:
    for note in ("one", "two", "three"):
        await put(pool, note)
    assert [(await back(pool)).version for _ in range(3)] == [2, 1, 0]
    with pytest.raises(NoSuchVersion):
        await back(pool)
    assert (await in_force(pool)).version == 0


async def test_what_was_made_after_going_back_goes_back_to_where_it_was_made(pool: asyncpg.Pool) -> None:
    for note in ("one", "two", "three"):
        await put(pool, note)
    assert (await back(pool, 1)).version == 1
    assert (await put(pool, "four")).version == 4
    assert (await back(pool)).version == 1


async def test_going_to_a_version_is_told_by_its_time(pool: asyncpg.Pool) -> None:
    first = await put(pool, "one")
    await put(pool, "two")
    again = await back(pool, 1)
    assert again.created_at == first.created_at
    assert again.published_at > first.published_at
    assert await back(pool, 1) == again, "it is in force already"
    with pytest.raises(NoSuchVersion):
        await back(pool, 9)


async def test_whoever_builds_on_another_version_is_refused(pool: asyncpg.Pool) -> None:
    await put(pool, "one", base_version=0)
    with pytest.raises(PolicyChanged) as caught:
        await put(pool, "two", base_version=0)
    assert caught.value.version == 1
    assert (await in_force(pool)).document["note"] == "one"


async def test_of_many_who_build_on_the_same_version_one_publishes(pool: asyncpg.Pool) -> None:
    ends = await asyncio.gather(*[put(pool, str(number), 0) for number in range(8)], return_exceptions=True)
    published = [end for end in ends if isinstance(end, StoredPolicy)]
    assert len(published) == 1
    assert all(isinstance(end, PolicyChanged) for end in ends if not isinstance(end, StoredPolicy))
    assert await in_force(pool) == published[0]


async def test_many_who_publish_at_once_get_a_version_each(pool: asyncpg.Pool) -> None:
    ends = await asyncio.gather(*[put(pool, str(number)) for number in range(8)])
    assert sorted(stored.version for stored in ends) == list(range(1, 9))
    assert (await in_force(pool)).version == 8


async def test_a_version_that_would_be_refused_today_is_not_gone_back_to(pool: asyncpg.Pool) -> None:
    old = '{"note": "", "rules": [{"name": "x", "when": "payment.of_an_earlier_version > 1", "exclude": ["a"]}]}'
    await pool.execute("INSERT INTO routing_policies (version, document) VALUES (1, $1)", old)
    await pool.execute("INSERT INTO routing_publications (version) VALUES (1)")
    await put(pool, "two")
    with pytest.raises(PolicyError, match="of_an_earlier_version"):
        await back(pool)
    assert (await in_force(pool)).version == 2
    assert (await back(pool, 0)).version == 0


@asynccontextmanager
async def watching(pool: asyncpg.Pool) -> AsyncIterator[PolicyBook]:
    """A process, as far as policies go."""
    book = PolicyBook(pool)
    watch = RevisionWatch(pool, [book.reload])
    await watch.check()
    task = asyncio.create_task(watch.run())
    yield book
    task.cancel()


async def test_every_process_follows_within_a_second(pool: asyncpg.Pool, database_url: str) -> None:
    other = await open_pool(settings(database_url))
    async with watching(pool) as here, watching(other) as there:
        for number in range(1, 4):
            await put(pool, str(number))
            began = time.monotonic()
            await until(lambda number=number: here.current.version == there.current.version == number)  # type: ignore[misc]
            assert time.monotonic() - began < 1
            assert there.current.document.note == str(number)
            assert POLICY_VERSION._value.get() == number
        await back(pool, 0)
        await until(lambda: here.current.version == there.current.version == 0)
    await other.close()


@pytest.mark.parametrize(
    "broken",
    [
        '{"rules": [{"name": "x", "when": "payment.of_a_later_version > 1", "exclude": ["a"]}]}',
        '{"rules": [], "of_a_later_version": 1}',
        '{"note": "\\ud800", "rules": []}',
        "null",
        "[]",
    ],
)
async def test_a_stored_policy_that_cannot_be_used_leaves_the_old_one_and_is_told_of_once(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    book = PolicyBook(pool)
    await put(pool, "good")
    await book.reload()
    await pool.execute("INSERT INTO routing_policies (version, document) VALUES (2, $1)", broken)
    await pool.execute("INSERT INTO routing_publications (version) VALUES (2)")
    with caplog.at_level(logging.ERROR):
        await book.reload()
        await book.reload()
    assert (book.current.version, book.current.document.note) == (1, "good")
    assert [vars(record)["policy_version"] for record in caplog.records] == [2]
    await put(pool, "better")
    await book.reload()
    assert book.current.version == 3


async def test_a_process_that_begins_with_a_policy_that_it_cannot_use_takes_the_one_before(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await put(pool, "good")
    for version in (2, 3):
        await pool.execute("INSERT INTO routing_policies (version, document) VALUES ($1, '{}')", version)
        await pool.execute("INSERT INTO routing_publications (version) VALUES ($1)", version)
    book = PolicyBook(pool)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            await book.reload()
    assert (book.current.version, book.current.document.note) == (1, "good")
    assert [vars(record)["policy_version"] for record in caplog.records] == [3, 2]
    await put(pool, "better")
    await book.reload()
    assert book.current.version == 4


async def test_a_split_goes_on_counting_under_a_new_version_that_leaves_it_as_it_was(pool: asyncpg.Pool) -> None:
    split = {"name": "contract", "when": "true", "split": {"a": 70, "b": 30}}
    book, splits, dealt = PolicyBook(pool), Splits(), []
    for version in range(1, 5):
        rules = [{"name": f"new{version}", "when": "true", "exclude": ["c"]}, split]
        async with pool.acquire() as connection, connection.transaction():
            await publish(connection, parse({"rules": rules}, None))
        await book.reload()
        assert book.current.version == version
        rule = book.current.document.rules[1]
        dealt += [splits.choose(rule, {"a", "b"}) for _ in range(25)]  # type: ignore[arg-type]
    assert (dealt.count("a"), dealt.count("b")) == (70, 30)
