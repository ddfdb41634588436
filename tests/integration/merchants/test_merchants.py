"""Merchants and keys: secrets stored only hashed or sealed, keys found in memory, and gone everywhere when revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.kernel.errors import NotAuthenticated, NotPermitted, Unavailable
from gateway.kernel.secrets import Vault
from gateway.merchants import directory as module
from gateway.merchants.directory import Directory
from gateway.merchants.store import NewKey, NewMerchant, Scope, create_key, create_merchant, revoke_key
from tests.support.rows import MASTER_KEY, settings

VAULT = Vault(MASTER_KEY)


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture
async def merchant(pool: asyncpg.Pool) -> NewMerchant:
    return await create_merchant(pool, VAULT, "Corner shop")


@pytest.fixture
async def key(pool: asyncpg.Pool, merchant: NewMerchant) -> NewKey:
    return await create_key(pool, VAULT, merchant.merchant.id, frozenset({Scope.PAY}))


async def test_a_key_stands_for_its_merchant_with_its_scopes(
    pool: asyncpg.Pool, merchant: NewMerchant, key: NewKey
) -> None:
    holder = await Directory(pool, VAULT).authenticate(f"Bearer {key.secret}", Scope.PAY)
    assert (holder.merchant, holder.key_id, holder.scopes) == (merchant.merchant, key.id, frozenset({Scope.PAY}))


async def test_a_key_may_do_nothing_beyond_its_scopes(pool: asyncpg.Pool, key: NewKey) -> None:
    with pytest.raises(NotPermitted, match="refund"):
        await Directory(pool, VAULT).authenticate(f"Bearer {key.secret}", Scope.REFUND)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer unknown", "Bearer " + "x" * 200]
)
async def test_whoever_presents_no_valid_key_is_nobody(pool: asyncpg.Pool, header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        await Directory(pool, VAULT).authenticate(header, Scope.PAY)


async def test_no_secret_is_stored_in_the_clear(pool: asyncpg.Pool, merchant: NewMerchant, key: NewKey) -> None:
    stored = ""
    for table in ("merchants", "api_keys"):
        for record in await pool.fetch(f"SELECT {table}::text AS whole FROM {table}"):
            stored += record["whole"]
    for secret in (key.secret, key.signing_secret, merchant.webhook_secret):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_sealed_secrets_open_at_their_own_row_only(pool: asyncpg.Pool, key: NewKey) -> None:
    sealed = await pool.fetchval("SELECT signing_secret_sealed FROM api_keys WHERE id = $1", key.id)
    assert VAULT.open(sealed, key.id.encode()).decode() == key.signing_secret


async def test_a_key_in_use_costs_no_query(pool: asyncpg.Pool, key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    find = module.find_holder

    async def counted(database: asyncpg.Pool, hashed: bytes) -> object:
        asked.append(hashed)
        return await find(database, hashed)

    monkeypatch.setattr(module, "find_holder", counted)
    directory = Directory(pool, VAULT)
    for _ in range(5):
        await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)
        with pytest.raises(NotAuthenticated):
            await directory.authenticate("Bearer sk_test_guess", Scope.PAY)
    assert len(asked) == 2


async def test_a_revoked_key_is_refused_by_every_process_once_the_revision_is_seen(
    pool: asyncpg.Pool, merchant: NewMerchant, key: NewKey
) -> None:
    directories = [Directory(pool, VAULT) for _ in range(2)]
    watches = [RevisionWatch(pool, [directory.forget]) for directory in directories]
    for directory, watch in zip(directories, watches, strict=True):
        await watch.check()
        await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)
    assert await revoke_key(pool, merchant.merchant.id, key.id)
    for directory, watch in zip(directories, watches, strict=True):
        await watch.check()
        with pytest.raises(NotAuthenticated):
            await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)


async def test_another_merchants_key_cannot_be_revoked(pool: asyncpg.Pool, key: NewKey) -> None:
    stranger = await create_merchant(pool, VAULT, "Stranger")
    assert not await revoke_key(pool, stranger.merchant.id, key.id)
    assert await Directory(pool, VAULT).authenticate(f"Bearer {key.secret}", Scope.PAY)


async def test_the_keys_of_a_suspended_merchant_do_not_work(
    pool: asyncpg.Pool, merchant: NewMerchant, key: NewKey
) -> None:
    await pool.execute("UPDATE merchants SET status = 'suspended' WHERE id = $1", merchant.merchant.id)
    with pytest.raises(NotAuthenticated):
        await Directory(pool, VAULT).authenticate(f"Bearer {key.secret}", Scope.PAY)


async def test_what_was_read_before_a_change_does_not_outlive_it(
    pool: asyncpg.Pool, merchant: NewMerchant, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, changed = asyncio.Event(), asyncio.Event()
    find = module.find_holder

    async def slow(database: asyncpg.Pool, hashed: bytes) -> object:
        found = await find(database, hashed)
        reading.set()
        await changed.wait()
        return found

    monkeypatch.setattr(module, "find_holder", slow)
    directory = Directory(pool, VAULT)
    early = asyncio.create_task(directory.authenticate(f"Bearer {key.secret}", Scope.PAY))
    await reading.wait()
    await revoke_key(pool, merchant.merchant.id, key.id)
    await directory.forget()
    changed.set()
    await early
    with pytest.raises(NotAuthenticated):
        await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)


async def test_guessing_fills_no_memory_and_pushes_out_nobody(
    key: NewKey, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNKNOWN_MAX", 10)
    directory = Directory(pool, VAULT)
    await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)
    for number in range(30):
        with pytest.raises(NotAuthenticated):
            await directory.authenticate(f"Bearer guess{number}", Scope.PAY)
    assert (len(directory._unknown), len(directory._holders)) == (10, 1)


async def test_a_database_that_is_away_is_no_verdict_on_the_key(
    key: NewKey, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    directory = Directory(pool, VAULT)
    with monkeypatch.context() as patch:
        patch.setattr(module, "find_holder", away)
        with pytest.raises(Unavailable):
            await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)
    assert await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)


async def test_a_listener_that_failed_is_told_again(pool: asyncpg.Pool) -> None:
    told: list[int] = []

    async def listener() -> None:
        told.append(len(told))
        if len(told) == 1:
            raise ConnectionResetError

    watch = RevisionWatch(pool, [listener])
    with pytest.raises(ConnectionResetError):
        await watch.check()
    await watch.check()
    await watch.check()
    assert told == [0, 1]
