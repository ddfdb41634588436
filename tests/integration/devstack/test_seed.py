"""The demo merchant of a state folder that an earlier version made."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from gateway.devstack.secrets import load_secrets
from gateway.devstack.seed import seed_merchant
from gateway.kernel.secrets import Vault, secret_hash
from gateway.merchants.store import ALL_SCOPES, find_holder
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
