"""A desk with all that stands behind it on real stores, and one channel account that the test scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest

from gateway.campaigns import Campaigns
from gateway.database.failovers import failovers
from gateway.database.group_commit import GroupCommit
from gateway.database.intents import intents
from gateway.database.outcomes import outcomes
from gateway.database.pool import open_pool
from gateway.database.shown import ShownResult, ShownRow, shown_codes
from gateway.database.valkey import Valkey
from gateway.kernel.secrets import Vault
from gateway.payments.charging import Charging
from gateway.payments.claims import Claims
from gateway.payments.desk import Desk
from gateway.payments.failing_over import FailingOver
from gateway.payments.flow import PaymentFlow
from gateway.payments.payment import PaymentOrder
from gateway.payments.pricing import Pricing
from gateway.payments.replays import Replays
from gateway.payments.schemas import PaymentRequest
from gateway.payments.showing import Showing
from gateway.payments.store import PaymentStore
from gateway.risk import Risk
from routing.accounts.book import AccountBook
from routing.accounts.store import save_account
from routing.channels.base import Wallet
from tests.integration.payments.corner import Corner, open_corner
from tests.support.fake_channel import FakeChannel
from tests.support.routing import plain_router
from tests.support.rows import MASTER_KEY, settings
from tests.support.till import new_code, new_order


@dataclass
class Counter:
    """A desk with all that stands behind it, and one channel account that the test scripts."""

    desk: Desk
    flow: PaymentFlow
    charging: Charging
    shown: GroupCommit[ShownRow, ShownResult]
    store: PaymentStore
    channel: FakeChannel
    pool: asyncpg.Pool
    vault: Vault

    def order(self, **changes: Any) -> PaymentOrder:
        """A new one by bar code."""
        return self.asking(new_order(**changes))

    def code(self, wallet: Wallet | None = Wallet.WECHAT, **changes: Any) -> PaymentOrder:
        """A new one for a code to show: that wallet's, or any wallet's."""
        return self.asking(new_code(wallet, **changes))

    def asking(self, fields: Mapping[str, Any]) -> PaymentOrder:
        """The order of such a request."""
        request = PaymentRequest.model_validate_json(orjson.dumps(fields))
        return PaymentOrder.of("mer_1", "shop", request, None, self.vault)

    async def payments(self, order: PaymentOrder) -> list[str]:
        """The states of the payments with that number."""
        found = await self.pool.fetch(
            "SELECT status FROM payments WHERE merchant_order_no = $1", order.request.merchant_order_no
        )
        return [record["status"] for record in found]


@pytest.fixture
async def counter(database_url: str, redis_url: str) -> AsyncIterator[Counter]:
    chosen, vault, channel = settings(database_url, redis_url), Vault(MASTER_KEY), FakeChannel()
    pool, valkey = await open_pool(chosen), Valkey(chosen)
    await save_account(pool, vault, "wechat_direct", channel="fake", wallets=[Wallet.WECHAT], settings={})
    accounts, store = AccountBook(pool, vault, lambda *_: channel), PaymentStore(pool, vault)
    await accounts.reload()
    replays, charging = Replays(store, vault), Charging(store, outcomes(pool, chosen), vault, 1.0)
    shown = shown_codes(pool, chosen)
    router = plain_router(accounts)
    campaigns = Campaigns.of(chosen, pool, pool, valkey, vault)
    flow = PaymentFlow(
        settings=chosen,
        vault=vault,
        claims=Claims(valkey, chosen.claim_ttl_s),
        store=store,
        replays=replays,
        router=router,
        screening=Risk.of(chosen, (pool, pool), valkey, vault, campaigns).orders,
        pricing=Pricing(campaigns.desk, campaigns.places, accounts),
        intents=intents(pool, chosen),
        charging=charging,
        showing=Showing(store, charging, shown),
        failing_over=FailingOver(chosen, store, router, failovers(pool, chosen)),
    )
    yield Counter(Desk(flow, replays, 16), flow, charging, shown, store, channel, pool, vault)
    await valkey.aclose()
    await pool.close()


@pytest.fixture
async def corner(database_url: str) -> AsyncIterator[Corner]:
    """Channels in memory that behave, and a code that any wallet can pay."""
    async with open_corner(database_url) as opened:
        yield opened
