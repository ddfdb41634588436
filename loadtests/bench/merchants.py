"""Many merchants for a stack that is measured, each with a key."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from pathlib import Path
from typing import Final

import asyncpg

from gateway.devstack.ready import ReadyFile
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault, secret_hash
from gateway.merchants.store import ALL_SCOPES

_AT_A_TIME: Final = 5_000


def write_merchants(ready: ReadyFile, number: int, keys: Path) -> None:
    """Write so many new merchants, and their keys into the file, a line each.

    What is sealed with them (the secrets for webhooks and signed requests, which the load has no use for) is sealed
    with a key that nobody keeps.
    """
    asyncio.run(_write(ready.database_url, number, keys))


async def _write(database_url: str, number: int, keys: Path) -> None:
    vault = Vault(os.urandom(32))
    connection = await asyncpg.connect(database_url)
    try:
        with keys.open("w", encoding="ascii") as file:
            for first in range(0, number, _AT_A_TIME):
                merchants, holders = [], []
                for each in range(first, min(first + _AT_A_TIME, number)):
                    merchant_id, key_id, secret = new_id("mer"), new_id("key"), f"sk_test_{secrets.token_urlsafe(24)}"
                    webhook_secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
                    sealed = vault.seal(webhook_secret.encode(), merchant_id.encode())
                    merchants.append((merchant_id, f"Shop {each}", "Asia/Shanghai", sealed))
                    signing = vault.seal(secrets.token_urlsafe(32).encode(), key_id.encode())
                    holders.append((key_id, merchant_id, secret_hash(secret), secret[-4:], sorted(ALL_SCOPES), signing))
                    file.write(f"{secret}\n")
                await connection.copy_records_to_table(
                    "merchants", records=merchants, columns=("id", "name", "timezone", "webhook_secret_sealed")
                )
                await connection.copy_records_to_table(
                    "api_keys",
                    records=holders,
                    columns=("id", "merchant_id", "secret_hash", "hint", "scopes", "signing_secret_sealed"),
                )
    finally:
        await connection.close()
