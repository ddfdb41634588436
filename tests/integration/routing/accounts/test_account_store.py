"""Accounts in the store: identities that stay, credentials that overlap while they are rotated, races that are told."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import REGISTRY

from gateway.database.pool import open_pool
from gateway.kernel.clock import utc_now
from gateway.kernel.secrets import Vault
from gateway.merchants.store import create_merchant
from routing.accounts.book import AccountBook
from routing.accounts.store import (
    AccountIdentityChanged,
    AccountStatus,
    NewAccount,
    change_account,
    create_account,
    find_account,
    forget_previous,
    list_accounts,
    rotate_account,
    save_account,
)
from routing.accounts.terms import TermsError
from routing.channels.base import Channel, Wallet
from routing.sale import Method
from tests.support.fake_channel import FakeChannel
from tests.support.rows import MASTER_KEY, settings
from tests.support.waiting import until

VAULT = Vault(MASTER_KEY)
WECHAT = {"mchid": "1900000109", "appid": "wx1", "platform_public_keys": {"K1": "old"}, "api_v3_key": "one"}
ROTATED = WECHAT | {"platform_public_keys": {"K2": "new"}, "api_v3_key": "two"}


@dataclass
class Builder:
    """Makes fake channels and remembers of what; settings that say `bad` make none."""

    built: list[Mapping[str, Any]] = field(default_factory=list)

    def __call__(self, account_id: str, kind: str, chosen: Mapping[str, Any]) -> Channel:
        if chosen.get("bad"):
            raise ValueError("bad: is missing")
        self.built.append(chosen)
        channel: Any = FakeChannel()
        return channel


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture
async def merchant_id(pool: asyncpg.Pool) -> str:
    return (await create_merchant(pool, VAULT, "own")).merchant.id


@pytest.fixture
async def account(pool: asyncpg.Pool) -> str:
    """The platform's account at WeChat Pay, just made."""
    await pool.execute("DELETE FROM channel_accounts")
    await save(pool, WECHAT)
    return "one"


async def save(pool: asyncpg.Pool, chosen: Mapping[str, Any], **more: Any) -> None:
    given = {"channel": "wechat", "wallets": [Wallet.WECHAT], "settings": chosen} | more
    await save_account(pool, VAULT, "one", **given)


async def opened(pool: asyncpg.Pool) -> tuple[AccountBook, Builder]:
    builder = Builder()
    book = AccountBook(pool, VAULT, builder)
    await book.reload()
    return book, builder


@pytest.mark.parametrize(
    ("chosen", "more", "field_name"),
    [
        (WECHAT, {"channel": "alipay"}, "channel"),
        (WECHAT | {"mchid": "1900000110"}, {}, "settings.mchid"),
        (WECHAT | {"appid": "wx2"}, {}, "settings.appid"),
        ({}, {}, "settings.mchid"),
    ],
)
async def test_an_account_stays_who_it_is(
    pool: asyncpg.Pool, account: str, chosen: dict[str, Any], more: dict[str, Any], field_name: str
) -> None:
    before = await find_account(pool, account)
    with pytest.raises(AccountIdentityChanged) as caught:
        await save(pool, chosen, **more)
    assert caught.value.field == field_name
    if not more:
        with pytest.raises(AccountIdentityChanged):
            await rotate_account(pool, VAULT, account, chosen)
    assert await find_account(pool, account) == before


async def test_an_account_stays_with_its_owner(pool: asyncpg.Pool, account: str, merchant_id: str) -> None:
    with pytest.raises(AccountIdentityChanged) as caught:
        await save(pool, WECHAT, merchant_id=merchant_id)
    assert caught.value.field == "merchant_id"


async def test_saving_again_changes_settings_and_terms_and_leaves_the_status(pool: asyncpg.Pool, account: str) -> None:
    await change_account(pool, account, status=AccountStatus.DRAINING)
    await save(pool, ROTATED, priority=7, fee_rate_millionths=6_000)
    row = await find_account(pool, account)
    assert row is not None
    assert row.settings(VAULT) == ROTATED
    assert (row.status, row.priority, row.fee_rate_millionths) == (AccountStatus.DRAINING, 7, 6_000)
    assert row.previous_settings_sealed is None


async def test_settings_that_nobody_can_open_any_more_can_be_replaced(pool: asyncpg.Pool, account: str) -> None:
    await pool.execute("UPDATE channel_accounts SET settings_sealed = '\\x00'")
    await save(pool, WECHAT)
    assert (await opened(pool))[0].get(account) is not None


async def test_an_id_is_given_once(pool: asyncpg.Pool, account: str) -> None:
    assert await create_account(pool, VAULT, NewAccount(account, "wechat", (Wallet.WECHAT,), ROTATED)) is None
    row = await find_account(pool, account)
    assert row is not None
    assert row.settings(VAULT) == WECHAT


async def test_an_account_of_nobody_is_not_made(pool: asyncpg.Pool, account: str) -> None:
    new = NewAccount("two", "wechat", (Wallet.WECHAT,), WECHAT, merchant_id="mer_nobody")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await create_account(pool, VAULT, new)


async def test_accounts_are_listed_by_owner_and_page(pool: asyncpg.Pool, account: str, merchant_id: str) -> None:
    for name in ("own2", "own1"):
        await create_account(pool, VAULT, NewAccount(name, "wechat", (Wallet.WECHAT,), WECHAT, merchant_id))
    assert [row.id for row in await list_accounts(pool, 10)] == ["one", "own1", "own2"]
    assert [row.id for row in await list_accounts(pool, 10, merchant_id=merchant_id)] == ["own1", "own2"]
    assert [row.id for row in await list_accounts(pool, 1, starting_after="one")] == ["own1"]


async def test_a_rotation_keeps_the_earlier_credentials_for_the_overlap(pool: asyncpg.Pool, account: str) -> None:
    row = await rotate_account(pool, VAULT, account, ROTATED, timedelta(hours=1))
    assert row is not None
    assert (row.settings(VAULT), row.previous_settings(VAULT)) == (ROTATED, WECHAT)
    book, builder = await opened(pool)
    found = book.get(account)
    assert found is not None
    assert found.previous is not None
    assert found.previous is not found.channel
    # Answers may still be signed with the key from before; notifications are read with all that was.
    assert builder.built == [WECHAT, ROTATED | {"platform_public_keys": {"K1": "old", "K2": "new"}}]


async def test_what_is_told_to_expire_is_what_is_in_force(pool: asyncpg.Pool, account: str) -> None:
    now = utc_now().replace(microsecond=0)
    soon, later = now + timedelta(days=2), now + timedelta(days=900)
    old = WECHAT | {"platform_public_keys": {"K1": certificate(soon), "K9": certificate(later)}}
    await rotate_account(pool, VAULT, account, old, timedelta())
    book, _ = await opened(pool)
    assert expiry_told(account) == soon.timestamp()
    renewed = WECHAT | {"platform_public_keys": {"K2": certificate(later)}}
    await rotate_account(pool, VAULT, account, renewed, timedelta(hours=1))
    await book.reload()
    assert expiry_told(account) == later.timestamp()
    await rotate_account(pool, VAULT, account, ROTATED, timedelta(hours=1))
    await book.reload()
    assert expiry_told(account) == math.inf


def certificate(expires_at: datetime) -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, expires_at - timedelta(days=1_000), expires_at)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def expiry_told(account_id: str) -> float | None:
    return REGISTRY.get_sample_value("mashang_account_certificate_expiry_timestamp_seconds", {"account": account_id})


async def test_a_rotation_without_overlap_forgets_at_once(pool: asyncpg.Pool, account: str) -> None:
    await rotate_account(pool, VAULT, account, ROTATED, timedelta())
    book, builder = await opened(pool)
    found = book.get(account)
    assert found is not None
    assert found.previous is None
    assert builder.built == [ROTATED]


async def test_a_repeated_rotation_does_not_push_the_earlier_credentials_out(pool: asyncpg.Pool, account: str) -> None:
    first = await rotate_account(pool, VAULT, account, ROTATED)
    assert await rotate_account(pool, VAULT, account, ROTATED) == first


async def test_the_end_of_the_overlap_needs_no_reading_of_the_accounts(pool: asyncpg.Pool, account: str) -> None:
    await rotate_account(pool, VAULT, account, ROTATED, timedelta(milliseconds=300))
    book, _ = await opened(pool)
    found = book.get(account)
    assert found is not None
    await until(lambda: found.previous is None)


async def test_past_the_overlap_the_earlier_credentials_are_neither_trusted_nor_kept(
    pool: asyncpg.Pool, account: str
) -> None:
    await rotate_account(pool, VAULT, account, ROTATED, timedelta(hours=1))
    book, builder = await opened(pool)
    await forget_previous(pool)
    assert (await find_account(pool, account)).previous_until is not None  # type: ignore[union-attr]
    await pool.execute("UPDATE channel_accounts SET previous_until = now()")
    await book.reload()
    found = book.get(account)
    assert found is not None
    assert found.previous is None
    assert builder.built[-1] == ROTATED
    await forget_previous(pool)
    row = await find_account(pool, account)
    assert row is not None
    assert (row.previous_settings_sealed, row.previous_until) == (None, None)


async def test_earlier_credentials_that_do_not_open_leave_the_account_open_and_are_told_of(
    pool: asyncpg.Pool, account: str, caplog: pytest.LogCaptureFixture
) -> None:
    await rotate_account(pool, VAULT, account, ROTATED)
    await pool.execute("UPDATE channel_accounts SET previous_settings_sealed = '\\x00'")
    with caplog.at_level(logging.ERROR):
        book, builder = await opened(pool)
    found = book.get(account)
    assert found is not None
    assert found.previous is None
    assert builder.built == [ROTATED]
    assert [vars(record)["account"] for record in caplog.records] == [account]


async def test_rotating_nobodys_account_rotates_nothing(pool: asyncpg.Pool, account: str) -> None:
    assert await rotate_account(pool, VAULT, "nobody", ROTATED) is None
    assert await change_account(pool, "nobody", priority=1) is None


async def test_what_is_not_changed_stays(pool: asyncpg.Pool, account: str) -> None:
    row = await change_account(pool, account, priority=5)
    assert row is not None
    assert (row.status, row.priority, row.fee_rate_millionths) == (AccountStatus.ENABLED, 5, 3_800)
    row = await change_account(pool, account, fee_rate_millionths=0, status=AccountStatus.DISABLED)
    assert row is not None
    assert (row.status, row.priority, row.fee_rate_millionths) == (AccountStatus.DISABLED, 5, 0)


async def test_of_rotations_at_once_each_keeps_what_was_there_before_it(pool: asyncpg.Pool, account: str) -> None:
    """Two at once end as one after the other: the last one's earlier credentials are the other's, or it was told."""
    keys = [ROTATED | {"api_v3_key": str(number)} for number in range(2)]
    rows = await asyncio.gather(*[rotate_account(pool, VAULT, account, chosen) for chosen in keys])
    assert all(row is not None for row in rows)
    last = await find_account(pool, account)
    assert last is not None
    assert {"one", "0", "1"} >= {
        last.settings(VAULT)["api_v3_key"],
        (last.previous_settings(VAULT) or {})["api_v3_key"],
    }
    assert last.settings(VAULT) in keys
    assert last.previous_settings(VAULT) in keys


async def test_an_account_saved_by_two_at_once_is_one_account(pool: asyncpg.Pool) -> None:
    await pool.execute("DELETE FROM channel_accounts")
    await asyncio.gather(*[save(pool, WECHAT) for _ in range(4)])
    assert [row.id for row in await list_accounts(pool, 10)] == ["one"]


async def test_no_setting_shows_in_a_repr(pool: asyncpg.Pool, account: str) -> None:
    assert "1900000109" not in repr(NewAccount("x", "wechat", (), WECHAT))
    assert "sealed" not in repr(await find_account(pool, account))


TERMS = {"limits": {"day_fen": 1_000}, "fee": {"rate_millionths": 2_000}}


async def test_terms_are_kept_until_others_are_given(pool: asyncpg.Pool, account: str) -> None:
    row = await find_account(pool, account)
    assert row is not None
    assert row.terms is None
    row = await change_account(pool, account, terms=TERMS)
    assert row is not None
    assert row.terms == TERMS
    await save(pool, ROTATED)
    await change_account(pool, account, priority=5)
    book, _ = await opened(pool)
    found = book.get(account)
    assert found is not None
    assert (found.terms.fee.rate_millionths, found.terms.limits.day_fen) == (2_000, 1_000)
    await save(pool, ROTATED, terms={})
    row = await find_account(pool, account)
    assert row is not None
    assert row.terms == {}


async def test_terms_come_with_a_new_account(pool: asyncpg.Pool, account: str) -> None:
    new = NewAccount("two", "wechat", (Wallet.WECHAT,), WECHAT, terms=TERMS)
    row = await create_account(pool, VAULT, new)
    assert row is not None
    assert row.terms == TERMS


async def test_terms_that_cannot_be_meant_are_not_stored(pool: asyncpg.Pool, account: str) -> None:
    bad = {"limits": {"day_fen": -1}}
    with pytest.raises(TermsError):
        await change_account(pool, account, terms=bad)
    with pytest.raises(TermsError):
        await save(pool, WECHAT, terms=bad)
    with pytest.raises(TermsError):
        await create_account(pool, VAULT, NewAccount("two", "wechat", (Wallet.WECHAT,), WECHAT, terms=bad))
    row = await find_account(pool, account)
    assert row is not None
    assert row.terms is None


async def test_an_account_whose_stored_terms_cannot_be_read_stays_as_it_was(pool: asyncpg.Pool, account: str) -> None:
    await change_account(pool, account, terms=TERMS)
    book, _ = await opened(pool)
    await pool.execute("""UPDATE channel_accounts SET terms = '{"limits": 7}'""")
    await book.reload()
    found = book.get(account)
    assert found is not None
    assert found.terms.limits.day_fen == 1_000


async def test_the_terms_narrow_what_an_account_does(pool: asyncpg.Pool, account: str) -> None:
    await change_account(pool, account, terms={"methods": ["barcode"]})
    book, _ = await opened(pool)
    found = book.get(account)
    assert found is not None
    assert found.takes(Wallet.WECHAT, Method.BARCODE)
    assert not found.takes(Wallet.WECHAT, Method.PAGE)
    assert not found.takes(Wallet.ALIPAY, Method.BARCODE)
