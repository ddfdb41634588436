"""Which merchants changed: whoever remembers many forgets those that did, and everybody only where it must."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.kernel.errors import NotAuthenticated
from gateway.merchants.changes import MerchantChanges, forget_changes
from gateway.merchants.directory import Directory
from gateway.merchants.store import NewKey, NewMerchant, Scope, create_key, create_merchant, revoke_key
from gateway.merchants.stores import Store, delete_store, put_stores
from tests.integration.merchants.test_merchants import VAULT, key, merchant, pool

__all__ = ["key", "merchant", "pool"]


@pytest.fixture
async def changes(pool: asyncpg.Pool, key: NewKey) -> MerchantChanges:
    """One that has looked since the merchant and its key were made."""
    opened = MerchantChanges(pool)
    assert await opened.read() is None, "before the first look it can be anybody"
    assert await opened.read() == frozenset()
    return opened


async def test_each_change_names_its_merchant_once(
    pool: asyncpg.Pool, merchant: NewMerchant, key: NewKey, changes: MerchantChanges
) -> None:
    one = merchant.merchant.id
    await pool.execute("UPDATE merchants SET name = 'Other name' WHERE id = $1", one)
    assert await changes.read() == {one}
    await put_stores(pool, one, [Store("s-1"), Store("s-2")])
    await put_stores(pool, one, [Store("s-1", region="杭州")])
    await delete_store(pool, one, "s-2")
    assert await changes.read() == {one}
    await revoke_key(pool, one, key.id)
    another = await create_merchant(pool, VAULT, "Another")
    assert await changes.read() == {one, another.merchant.id}
    assert await changes.read() == frozenset()


async def test_what_changed_nothing_or_was_taken_back_names_nobody(
    pool: asyncpg.Pool, merchant: NewMerchant, changes: MerchantChanges
) -> None:
    await pool.execute("UPDATE merchants SET name = 'Nobody' WHERE id = 'mer_nobody'")
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE merchants SET name = 'Taken back' WHERE id = $1", merchant.merchant.id)
        await transaction.rollback()
    assert await changes.read() == frozenset()


async def test_many_at_once_and_those_that_were_deleted_meanwhile_can_be_anybody(
    pool: asyncpg.Pool, merchant: NewMerchant, changes: MerchantChanges
) -> None:
    await put_stores(pool, merchant.merchant.id, [Store(f"s-{number}") for number in range(1_500)])
    assert await changes.read() == {merchant.merchant.id}, "many stores of one merchant are one merchant"
    await pool.execute(
        "INSERT INTO merchants (id, name, timezone, webhook_secret_sealed)"
        " SELECT 'mer_' || n, 'Many', 'Asia/Shanghai', '' FROM generate_series(1, 1001) n"
    )
    assert await changes.read() is None
    await create_merchant(pool, VAULT, "Early")
    await pool.execute("UPDATE merchant_changes SET at = now() - interval '61 minutes'")
    late = await create_merchant(pool, VAULT, "Late")
    await forget_changes(pool)
    assert await pool.fetchval("SELECT array_agg(merchant_id) FROM merchant_changes") == [late.merchant.id]
    assert await changes.read() is None


async def test_a_change_of_one_merchant_leaves_the_others_in_memory(
    pool: asyncpg.Pool, merchant: NewMerchant, key: NewKey
) -> None:
    other = await create_merchant(pool, VAULT, "Other")
    kept = await create_key(pool, VAULT, other.merchant.id, frozenset({Scope.PAY}))
    directory = Directory(pool, VAULT)
    await directory.forget()
    headers = [{b"authorization": f"Bearer {each.secret}".encode()} for each in (key, kept)]
    for each in (key, kept):
        await directory.authenticate(f"Bearer {each.secret}", Scope.PAY)
    await pool.execute("UPDATE merchants SET timezone = 'Asia/Urumqi' WHERE id = $1", merchant.merchant.id)
    await directory.forget()
    assert directory.presented(headers[0]) == (None, "")
    assert directory.presented(headers[1]) == (other.merchant, other.merchant.id)
    changed = await directory.authenticate(f"Bearer {key.secret}", Scope.PAY)
    assert changed.merchant.timezone == "Asia/Urumqi"


async def test_a_key_that_was_guessed_before_it_was_made_is_found(pool: asyncpg.Pool, merchant: NewMerchant) -> None:
    directory = Directory(pool, VAULT)
    await directory.forget()
    made = await create_key(pool, VAULT, merchant.merchant.id, frozenset({Scope.PAY}))
    await pool.execute("UPDATE api_keys SET revoked_at = now() WHERE id = $1", made.id)
    with pytest.raises(NotAuthenticated):
        await directory.authenticate(f"Bearer {made.secret}", Scope.PAY)
    await pool.execute("UPDATE api_keys SET revoked_at = NULL WHERE id = $1", made.id)
    await directory.forget()
    assert (await directory.authenticate(f"Bearer {made.secret}", Scope.PAY)).key_id == made.id
