"""The campaigns in force follow the database: all of them, within a second, whatever one of them is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import pytest

from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from promotions.campaigns import book as module
from promotions.campaigns import matching
from promotions.campaigns.book import CampaignBook
from promotions.campaigns.campaign import Status
from tests.support.campaign_documents import changed
from tests.support.campaign_rows import campaign
from tests.support.campaigns import payment
from tests.support.rows import settings
from tests.support.waiting import until


@pytest.fixture(autouse=True)
async def empty(pool: asyncpg.Pool) -> None:
    await pool.execute("DELETE FROM campaigns")


def written(**changes: Any) -> str:
    """A document for every payment of more than 20 yuan, whoever makes it."""
    return orjson.dumps(
        changed(**{"condition": ..., "limits": ..., "starts_at": ..., "ends_at": ..., **changes})
    ).decode()


async def edit(pool: asyncpg.Pool, campaign_id: str, **columns: Any) -> None:
    setting = "".join(f", {name} = ${number}" for number, name in enumerate(columns, start=2))
    await pool.execute(
        f"UPDATE campaigns SET revision = revision + 1{setting} WHERE id = $1", campaign_id, *columns.values()
    )


def matched(book: CampaignBook, **changes: Any) -> list[str]:
    return [each.id for each in book.current.candidates(payment(**changes))]


async def test_active_and_paused_campaigns_are_known_and_the_active_ones_apply(pool: asyncpg.Pool) -> None:
    for status in Status:
        await campaign(pool, f"cam_{status}", document=written(), status=status)
    book = CampaignBook(pool)
    await book.reload()
    assert {each.id for each in book.current.campaigns} == {"cam_active", "cam_paused"}
    assert matched(book) == ["cam_active"]


async def test_the_budget_is_that_of_the_row_which_top_ups_raise(pool: asyncpg.Pool) -> None:
    document = written(limits={"budget": 1_000, "per_store": {"day": 5}})
    await campaign(pool, "cam_a", document=document, budget=9_000, count=7, slices=4, version=3)
    book = CampaignBook(pool)
    await book.reload()
    [found] = book.current.campaigns
    assert (found.limits.budget_fen, found.limits.count, found.slices, found.version) == (9_000, 7, 4, 3)
    assert len(found.limits.per) == 1


@asynccontextmanager
async def watching(pool: asyncpg.Pool) -> AsyncIterator[CampaignBook]:
    """A process, as far as campaigns go."""
    book = CampaignBook(pool)
    watch = RevisionWatch(pool, [book.reload])
    await watch.check()
    task = asyncio.create_task(watch.run())
    yield book
    task.cancel()


async def test_every_process_follows_within_a_second(pool: asyncpg.Pool, database_url: str) -> None:
    other = await open_pool(settings(database_url))

    async def both_have(wanted: list[str]) -> None:
        began = time.monotonic()
        await until(lambda: matched(here) == wanted == matched(there))
        assert time.monotonic() - began < 1

    async with watching(pool) as here, watching(other) as there:
        await campaign(pool, "cam_a", document=written())
        await campaign(pool, "cam_b", document=written())
        await both_have(["cam_a", "cam_b"])
        await edit(pool, "cam_a", status="paused")
        await both_have(["cam_b"])
        await edit(pool, "cam_a", status="active", document=written(condition="payment.wallet == 'wechat'"))
        await both_have(["cam_a", "cam_b"])
        assert matched(here, wallet="alipay") == ["cam_b"]
        await edit(pool, "cam_b", status="ended")
        await both_have(["cam_a"])
    await other.close()


@pytest.mark.parametrize(
    "broken",
    [
        written(condition="payment.of_a_later_version > 1"),
        written(of_a_later_version=1),
        '{"name": "\\ud800"}',
        "{}",
        "[]",
        "null",
    ],
)
async def test_a_campaign_that_cannot_be_read_leaves_the_others_in_force_and_is_told_of_once(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    await campaign(pool, "cam_a", document=written())
    await campaign(pool, "cam_b", document=broken)
    book = CampaignBook(pool)
    await book.reload()
    await edit(pool, "cam_a", status="paused")
    await campaign(pool, "cam_c", document=written())
    await book.reload()
    assert matched(book) == ["cam_c"]
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.__dict__["campaign"] for record in told] == ["cam_b"]
    await edit(pool, "cam_b", document=written())
    await book.reload()
    assert matched(book) == ["cam_b", "cam_c"]


async def test_a_campaign_that_was_good_is_not_in_force_once_its_next_version_cannot_be_read(
    pool: asyncpg.Pool,
) -> None:
    """The intent statement would refuse the version that this process still knew."""
    await campaign(pool, "cam_a", document=written())
    book = CampaignBook(pool)
    await book.reload()
    await edit(pool, "cam_a", document="{}", version=2)
    await book.reload()
    assert matched(book) == []
    assert book.current.get("cam_a") is None


class Counting:
    """A pool that counts what it is asked."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.read: list[list[str]] = []
        self.looks = 0

    async def fetchval(self, sql: str) -> Any:
        self.looks += 1
        return await self._pool.fetchval(sql)

    async def fetch(self, sql: str, *arguments: Any) -> list[Mapping[str, Any]]:
        if arguments:
            self.read.append(sorted(arguments[0]))
        return await self._pool.fetch(sql, *arguments)  # type: ignore[return-value]


async def test_only_what_has_changed_is_read_again(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_AT_ONCE", 2)
    for letter in "abc":
        await campaign(pool, f"cam_{letter}", document=written())
    counting = Counting(pool)
    book = CampaignBook(counting)  # type: ignore[arg-type]
    await book.reload()
    assert counting.read == [["cam_a", "cam_b"], ["cam_c"]]
    known = book.current.get("cam_a")
    await edit(pool, "cam_b", document=written(condition="payment.hour >= 0"))
    await book.reload()
    assert counting.read[2:] == [["cam_b"]]
    assert book.current.get("cam_a") is known
    before = book.current
    await book.reload()
    assert counting.read[3:] == []
    assert book.current is before


async def test_those_who_ask_together_are_answered_together(pool: asyncpg.Pool) -> None:
    await campaign(pool, "cam_a", document=written())
    counting = Counting(pool)
    book = CampaignBook(counting)  # type: ignore[arg-type]
    await asyncio.gather(*[book.reload() for _ in range(50)])
    assert counting.looks <= 2
    assert matched(book) == ["cam_a"]


async def test_after_trouble_with_the_database_nothing_is_missing(pool: asyncpg.Pool) -> None:
    await campaign(pool, "cam_a", document=written())
    counting = Counting(pool)
    book = CampaignBook(counting)  # type: ignore[arg-type]

    async def broken(sql: str, *arguments: Any) -> list[Mapping[str, Any]]:
        raise ConnectionError

    whole, counting.fetch = counting.fetch, broken  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await book.reload()
    counting.fetch = whole  # type: ignore[method-assign]
    await book.reload()
    assert matched(book) == ["cam_a"]


async def test_after_many_changes_the_index_is_built_anew_aside(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "RECENT_MAX", 2)
    for letter in "abcdef":
        await campaign(pool, f"cam_{letter}", document=written())
    book = CampaignBook(pool)
    await book.reload()
    for letter in "abc":
        await edit(pool, f"cam_{letter}", document=written(condition="payment.hour >= 0"), version=2)
        await book.reload()
    assert book.current.is_ragged
    await edit(pool, "cam_d", status="paused")
    await book.reload()
    await until(lambda: not book.current.is_ragged)
    assert matched(book) == ["cam_a", "cam_b", "cam_c", "cam_e", "cam_f"]
    assert [each.version for each in book.current.candidates(payment())] == [2, 2, 2, 1, 1]
