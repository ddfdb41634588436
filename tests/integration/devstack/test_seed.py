"""What the demo begins with: its merchants, of a folder that an earlier version made too, and its risk rules."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from gateway.devstack.secrets import load_secrets
from gateway.devstack.seed import seed_kiosk, seed_merchant
from gateway.kernel.secrets import Vault, secret_hash
from gateway.merchants.store import ALL_SCOPES, find_holder
from risk.rules.lifecycle import roll_back
from risk.rules.store import document_of, in_force
from tests.support.rows import MASTER_KEY


async def test_the_demos_key_gets_the_scopes_that_have_come_since(database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        first = await seed_merchant(connection, Vault(MASTER_KEY), tmp_path, load_secrets(tmp_path))
        assert first.merchant is not None
        await connection.execute("UPDATE api_keys SET scopes = '{pay,read,refund}'")
        again = await seed_merchant(connection, Vault(MASTER_KEY), tmp_path, first)
        assert again == first
        holder = await find_holder(connection, secret_hash(first.merchant.api_key))
        assert holder is not None
        assert holder.scopes == ALL_SCOPES
    finally:
        await connection.close()


async def test_the_kiosk_has_its_rules_and_the_demo_merchant_only_the_lists(database_url: str, tmp_path: Path) -> None:
    kept, is_refused = await seed_kiosk(database_url, Vault(MASTER_KEY), tmp_path, load_secrets(tmp_path))
    assert is_refused
    assert kept.kiosk is not None
    connection = await asyncpg.connect(database_url)
    try:
        document = await document_of(connection, await in_force(connection))
        scopes = {rule["code"]: rule["merchants"] for rule in document["rules"]}
        assert scopes == {
            "starter.block": [],
            "starter.allow": [],
            "starter.watch": [],
            "bonus_hunting.device_of_many_today": [kept.kiosk.id],
        }
        assert await seed_kiosk(database_url, Vault(MASTER_KEY), tmp_path, kept) == (kept, True)
        assert (await in_force(connection)).version == 1

        async with connection.transaction():
            await roll_back(connection, 0)
        assert await seed_kiosk(database_url, Vault(MASTER_KEY), tmp_path, kept) == (kept, False)
        assert (await in_force(connection)).version == 0
    finally:
        await connection.close()
