"""The account book: channels live as long as their settings, and one bad account takes no other with it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.kernel.secrets import Vault
from routing.accounts.book import AccountBook, AccountStatus, save_account
from routing.channels.base import Channel, Wallet
from tests.support.fake_channel import FakeChannel
from tests.support.rows import MASTER_KEY, settings

VAULT = Vault(MASTER_KEY)


@dataclass
class Builder:
    """Makes fake channels and remembers of what; settings that say `bad` make none."""

    built: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def __call__(self, account_id: str, kind: str, chosen: Mapping[str, Any]) -> Channel:
        self.built.append((account_id, kind, chosen))
        if chosen.get("bad"):
            raise ValueError("bad: is missing")
        return FakeChannel()


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture
async def built(pool: asyncpg.Pool) -> Builder:
    """Two accounts, and nothing built yet."""
    await pool.execute("DELETE FROM channel_accounts")
    for account_id in ("one", "two"):
        await save(pool, account_id)
    return Builder()


async def save(pool: asyncpg.Pool, account_id: str, **chosen: Any) -> None:
    await save_account(
        pool, VAULT, account_id, channel="wechat", wallets=[Wallet.WECHAT], settings={"mchid": "19", **chosen}
    )


async def test_accounts_are_read_with_their_settings_opened(pool: asyncpg.Pool, built: Builder) -> None:
    book = AccountBook(pool, VAULT, built)
    assert list(book) == []
    await book.reload()
    assert [account.id for account in book] == ["one", "two"]
    assert built.built[0] == ("one", "wechat", {"mchid": "19"})
    one = book.get("one")
    assert one is not None
    assert (one.wallets, one.status, one.fee_rate_millionths) == ({Wallet.WECHAT}, AccountStatus.ENABLED, 3_800)
    assert book.get("three") is None


async def test_a_channel_is_built_anew_only_where_its_settings_changed(pool: asyncpg.Pool, built: Builder) -> None:
    book = AccountBook(pool, VAULT, built)
    await book.reload()
    before = {account.id: account.channel for account in book}
    await pool.execute("UPDATE channel_accounts SET status = 'draining', priority = 1 WHERE id = 'one'")
    await save(pool, "two", api_v3_key="another")
    await book.reload()
    after = {account.id: account for account in book}
    assert after["one"].channel is before["one"]
    assert (after["one"].status, after["one"].priority) == (AccountStatus.DRAINING, 1)
    assert after["two"].channel is not before["two"]


async def test_settings_are_stored_sealed_for_their_own_account(pool: asyncpg.Pool, built: Builder) -> None:
    sealed = await pool.fetchval("SELECT settings_sealed FROM channel_accounts WHERE id = 'one'")
    assert b"mchid" not in sealed
    assert b"mchid" in VAULT.open(sealed, b"one")


@pytest.mark.parametrize("trouble", ["seal", "settings", "wallet"])
async def test_an_account_that_cannot_be_opened_takes_no_other_with_it_and_is_told_of(
    pool: asyncpg.Pool, built: Builder, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    await break_account(pool, trouble)
    book = AccountBook(pool, VAULT, built)
    with caplog.at_level(logging.ERROR):
        await book.reload()
    assert [account.id for account in book] == ["two"]
    assert [vars(record)["account"] for record in caplog.records] == ["one"]


@pytest.mark.parametrize("trouble", ["seal", "settings", "wallet"])
async def test_an_account_whose_change_cannot_be_opened_goes_on_as_it_was(
    pool: asyncpg.Pool, built: Builder, trouble: str
) -> None:
    book = AccountBook(pool, VAULT, built)
    await book.reload()
    before = book.get("one")
    await break_account(pool, trouble)
    await book.reload()
    assert book.get("one") is before


async def break_account(pool: asyncpg.Pool, trouble: str) -> None:
    if trouble == "seal":
        await pool.execute("UPDATE channel_accounts SET settings_sealed = '\\x00' WHERE id = 'one'")
    elif trouble == "settings":
        await save(pool, "one", bad=True)
    else:
        await pool.execute("UPDATE channel_accounts SET wallets = '{nobody_pay}' WHERE id = 'one'")


async def test_what_has_not_changed_stays_the_same_and_only_changes_raise_the_version(
    pool: asyncpg.Pool, built: Builder
) -> None:
    book = AccountBook(pool, VAULT, built)
    await book.reload()
    before, version = list(book), book.version
    await book.reload()
    assert [after is account for after, account in zip(book, before, strict=True)] == [True, True]
    assert book.version == version
    await pool.execute("UPDATE channel_accounts SET priority = 7 WHERE id = 'two'")
    await book.reload()
    assert [after is account for after, account in zip(book, before, strict=True)] == [True, False]
    assert book.version == version + 1
    await pool.execute("DELETE FROM channel_accounts WHERE id = 'one'")
    await book.reload()
    assert ([account.id for account in book], book.version) == (["two"], version + 2)
