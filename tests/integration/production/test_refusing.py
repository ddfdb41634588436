"""A process is held back before it serves, and again once its database is there; outside of production never."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import asyncpg
import pytest

from gateway.kernel.secrets import Vault
from gateway.merchants.store import create_key, create_merchant
from gateway.production.reasons import UnsafeInProduction
from gateway.production.refusing import require_safe, require_safe_beforehand
from gateway.settings import Settings

KEY = base64.b64encode(secrets.token_bytes(32)).decode()


def settings(database_url: str, **changes: Any) -> Settings:
    safe: dict[str, Any] = {
        "MASHANG_ENV": "production",
        "database_url": database_url,
        "redis_url": "unix:///run/valkey.sock",
        "master_key": KEY,
        "admin_token": secrets.token_hex(32),
        "public_url": "https://pay.bank.cn",
        "log_json": True,
    }
    return Settings(**safe | changes)


async def test_a_good_database_is_taken_until_a_demo_merchant_has_a_key(database_url: str) -> None:
    wanted = settings(database_url)
    connection = await asyncpg.connect(database_url)
    await require_safe(wanted, connection)
    vault = Vault(wanted.master_key_bytes)
    created = await create_merchant(connection, vault, "demo")
    await require_safe(wanted, connection)
    key = await create_key(connection, vault, created.merchant.id)
    with pytest.raises(UnsafeInProduction, match=rf"1 reason:\n  1\. merchant {created.merchant.id}"):
        await require_safe(wanted, connection)
    await require_safe(settings(database_url, MASHANG_ENV="development"), connection)
    await connection.execute("UPDATE api_keys SET revoked_at = now() WHERE id = $1", key.id)
    await require_safe(wanted, connection)
    await connection.close()


def test_beforehand_the_settings_are_judged_though_the_database_is_away() -> None:
    nowhere = "postgresql://x@127.0.0.1:1/x"
    require_safe_beforehand(settings(nowhere))
    with pytest.raises(UnsafeInProduction, match=r"1\. MASHANG_LOG_JSON"):
        require_safe_beforehand(settings(nowhere, log_json=False))
    require_safe_beforehand(settings(nowhere, log_json=False, MASHANG_ENV="development"))
