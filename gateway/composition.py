"""Composes what both the HTTP service and the worker stand on, from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import asyncpg

from gateway.campaigns import Campaigns
from gateway.database.outcomes import outcomes
from gateway.database.pool import BoundedPool, open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.starting import once_there
from gateway.database.valkey import Valkey
from gateway.kernel.rsa.choosing import choose
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.charging import Charging
from gateway.payments.feedback import Feedback
from gateway.payments.store import PaymentStore
from gateway.production.refusing import require_safe
from gateway.refunds.desk import RefundDesk
from gateway.risk import Risk
from gateway.settings import Environment, Settings
from gateway.tracing.tracing import NOT_TRACED, Tracing, traced
from promotions.coupons.campaigns import CouponCampaigns
from routing.accounts.book import AccountBook
from routing.accounts.usage import Usage
from routing.channels.base import Channel
from routing.channels.registry import build_channel
from routing.channels.transport import HttpTransport
from routing.health.health import Health
from routing.metered import MeteredChannel
from routing.policy.store import PolicyBook
from routing.router import Router

_CLOSE_S: Final = 5.0
_HOT_CONNECTIONS: Final = 5
"""Intents, outcomes and histories keep one each; the rest of the hot path has two."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Who chooses the account of a payment, and what the choice goes by."""

    router: Router
    health: Health
    policies: PolicyBook
    usage: Usage

    @classmethod
    def of(cls, pool: asyncpg.Pool, accounts: AccountBook) -> Self:
        """Nothing is known yet: the policy comes with the first look at the directory's revision."""
        health, policies, usage = Health(), PolicyBook(pool), Usage(pool, accounts)
        return cls(Router(accounts, policies, health, usage), health, policies, usage)


@dataclass(frozen=True, slots=True)
class Base:
    """One per process."""

    settings: Settings
    pool: asyncpg.Pool
    hot_pool: BoundedPool
    valkey: Valkey
    vault: Vault
    directory: Directory
    accounts: AccountBook
    store: PaymentStore
    charging: Charging
    revision: RevisionWatch
    refunds: RefundDesk
    routing: Routing
    feedback: Feedback
    campaigns: Campaigns
    coupons: CouponCampaigns
    risk: Risk
    tracing: Tracing = NOT_TRACED


@asynccontextmanager
async def compose(settings: Settings, service: str) -> AsyncIterator[Base]:
    """Open the stores and the channels, and close them at the end; `service` is the process's name in traces."""
    choose(settings.rsa, settings.crypto_mb_library)
    vault = Vault(settings.master_key_bytes)
    transport = HttpTransport()

    def build(account_id: str, kind: str, chosen: Mapping[str, Any]) -> Channel:
        complete = {**chosen, "notify_url": notify_url_of(settings, kind, account_id, chosen)}
        public_only = settings.environment is Environment.PRODUCTION
        return MeteredChannel(account_id, build_channel(kind, complete, transport, public_only=public_only))

    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(traced(settings, service))
        stack.push_async_callback(transport.aclose)
        pool = await stack.enter_async_context(_opened(await once_there(lambda: open_pool(settings))))
        await once_there(lambda: require_safe(settings, pool))
        hot_pool = await stack.enter_async_context(
            _opened(await once_there(lambda: open_pool(settings, size=_HOT_CONNECTIONS)))
        )
        valkey = Valkey(settings)
        stack.push_async_callback(valkey.aclose)
        directory, accounts = Directory(pool, vault), AccountBook(pool, vault, build)
        store, routing = PaymentStore(pool, vault), Routing.of(pool, accounts)
        campaigns = Campaigns.of(settings, pool, hot_pool, valkey, vault)
        coupons = CouponCampaigns(pool, campaigns.clock)
        risk = Risk.of(settings, (pool, hot_pool), valkey, vault, campaigns)
        listeners = (directory.forget, accounts.reload, routing.policies.reload, campaigns.reload, coupons.forget)
        revision = RevisionWatch(pool, [*listeners, risk.reload], campaigns.clock.heard)
        await once_there(revision.check)
        await stack.enter_async_context(campaigns.kept())
        await stack.enter_async_context(risk.kept())
        feedback, budgets = Feedback(routing.health, routing.usage), campaigns.budgets
        charging = Charging(
            store,
            outcomes(hot_pool, settings),
            vault,
            settings.channel_timeout_s,
            feedback,
            budgets=budgets,
            shelf=campaigns.shelf,
            counting=risk.counting,
        )
        yield Base(
            settings=settings,
            pool=pool,
            hot_pool=hot_pool,
            valkey=valkey,
            vault=vault,
            directory=directory,
            accounts=accounts,
            store=store,
            charging=charging,
            revision=revision,
            refunds=RefundDesk(pool, accounts, budgets, risk.counting),
            routing=routing,
            feedback=feedback,
            campaigns=campaigns,
            coupons=coupons,
            risk=risk,
            tracing=tracing,
        )


def notify_url_of(settings: Settings, kind: str, account_id: str, chosen: Mapping[str, Any]) -> Any:
    """Where a channel is told to notify: the account's own setting, or else this gateway."""
    return chosen.get("notify_url") or f"{settings.public_url.rstrip('/')}/callbacks/{kind}/{account_id}"


@asynccontextmanager
async def _opened(pool: BoundedPool) -> AsyncIterator[BoundedPool]:
    """A pool that is closed at the end, by force where a statement does not come back."""
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(_CLOSE_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()
