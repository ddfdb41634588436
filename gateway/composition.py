"""Composes what both the HTTP service and the worker stand on, from the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from gateway.database.outcomes import outcomes
from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.valkey import Valkey
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.charging import Charging
from gateway.payments.store import PaymentStore
from gateway.settings import Settings
from routing.accounts import AccountBook
from routing.channels.base import Channel
from routing.channels.registry import build_channel
from routing.channels.transport import HttpTransport
from routing.metered import MeteredChannel


@dataclass(frozen=True, slots=True)
class Base:
    """One per process."""

    settings: Settings
    pool: asyncpg.Pool
    valkey: Valkey
    vault: Vault
    directory: Directory
    accounts: AccountBook
    store: PaymentStore
    charging: Charging
    revision: RevisionWatch


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[Base]:
    """Open the stores and the channels, and close them at the end."""
    vault = Vault(settings.master_key_bytes)
    transport = HttpTransport()

    def build(account_id: str, kind: str, account_settings: Mapping[str, Any]) -> Channel:
        return MeteredChannel(account_id, build_channel(kind, account_settings, transport))

    pool = await open_pool(settings)
    valkey = Valkey(settings)
    try:
        directory, accounts = Directory(pool), AccountBook(pool, vault, build)
        store = PaymentStore(pool, vault)
        revision = RevisionWatch(pool, [directory.forget, accounts.reload])
        await revision.check()
        charging = Charging(store, outcomes(pool, settings), vault, settings.channel_timeout_s)
        yield Base(settings, pool, valkey, vault, directory, accounts, store, charging, revision)
    finally:
        await transport.aclose()
        await valkey.aclose()
        await pool.close()
