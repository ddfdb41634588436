"""Composes what both the HTTP service and the worker stand on, from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from gateway.database.outcomes import outcomes
from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.valkey import Valkey
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.charging import Charging
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.settings import Environment, Settings
from routing.accounts import AccountBook
from routing.channels.base import Channel
from routing.channels.registry import build_channel
from routing.channels.transport import HttpTransport
from routing.metered import MeteredChannel

_CLOSE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Base:
    """One per process."""

    settings: Settings
    pool: asyncpg.Pool
    hot_pool: asyncpg.Pool
    valkey: Valkey
    vault: Vault
    directory: Directory
    accounts: AccountBook
    store: PaymentStore
    charging: Charging
    revision: RevisionWatch
    refunds: RefundDesk


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[Base]:
    """Open the stores and the channels, and close them at the end."""
    vault = Vault(settings.master_key_bytes)
    transport = HttpTransport()

    def build(account_id: str, kind: str, chosen: Mapping[str, Any]) -> Channel:
        complete = {**chosen, "notify_url": notify_url_of(settings, kind, account_id, chosen)}
        public_only = settings.environment is Environment.PRODUCTION
        return MeteredChannel(account_id, build_channel(kind, complete, transport, public_only=public_only))

    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.aclose)
        pool = await stack.enter_async_context(_opened(await open_pool(settings)))
        hot_pool = await stack.enter_async_context(_opened(await open_pool(settings, size=3)))
        valkey = Valkey(settings)
        stack.push_async_callback(valkey.aclose)
        directory, accounts = Directory(pool, vault), AccountBook(pool, vault, build)
        store = PaymentStore(pool, vault)
        revision = RevisionWatch(pool, [directory.forget, accounts.reload])
        await revision.check()
        charging = Charging(store, outcomes(hot_pool, settings), vault, settings.channel_timeout_s)
        refunds = RefundDesk(pool, accounts)
        yield Base(settings, pool, hot_pool, valkey, vault, directory, accounts, store, charging, revision, refunds)


def notify_url_of(settings: Settings, kind: str, account_id: str, chosen: Mapping[str, Any]) -> Any:
    """Where a channel is told to notify: the account's own setting, or else this gateway."""
    return chosen.get("notify_url") or f"{settings.public_url.rstrip('/')}/callbacks/{kind}/{account_id}"


@asynccontextmanager
async def _opened(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Pool]:
    """A pool that is closed at the end, by force where a statement does not come back."""
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(_CLOSE_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()
