"""Opens the shop in the morning: counters with tills, the merchant's server for webhooks, and a code on the wall."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from gateway.client import AsyncClient, Code, calls
from tests.support.book import ClientBook
from tests.support.gateway import GatewayStack
from tests.support.receivers import start_receiver
from tests.support.shop_day.clock import Clock
from tests.support.shop_day.counter import Counter, Place, Shop
from tests.support.shop_day.customers import Customers
from tests.support.shop_day.hooks import Hooks
from tests.support.shop_day.sales import (
    SaleKind,
    leaves_a_code_for_any_wallet,
    never_scans,
    order_appears_after_it_was_given_up,
    pays_at_the_wall,
)
from tests.support.shop_day.witness import Witness
from tests.support.till import WALLETS

SETTINGS: Final = {"MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
"""The merchant's server of the test listens on loopback."""
_LONGEST: Final = (never_scans, leaves_a_code_for_any_wallet, order_appears_after_it_was_given_up)
"""What ends by itself, after a while, is begun first."""


@dataclass(frozen=True, slots=True)
class OpenShop:
    """The shop while it is open.  `office` is the client of the merchant's server, which also asks for the reports."""

    shop: Shop
    counters: list[Counter]
    office: AsyncClient
    hooks: Hooks
    witness: Witness
    wall: Code
    began: datetime

    async def sell(self, kinds: Mapping[SaleKind, int]) -> None:
        """So many sales of each kind with each wallet, in an order by chance, at all counters at once."""
        sales = [(kind, wallet) for kind, times in kinds.items() for wallet in WALLETS for _ in range(times)]
        self.shop.rng.shuffle(sales)
        sales.sort(key=lambda sale: sale[0] not in _LONGEST)
        waiting = iter(sales)

        async def serve(counter: Counter) -> None:
            for kind, wallet in waiting:
                await kind(counter, wallet)

        await asyncio.gather(*[serve(counter) for counter in self.counters])

    async def close(self) -> None:
        """The last customers leave: whatever is not decided is cancelled, and whose code is on display pays all the
        same, and has the money back."""
        for status in ("processing", "requires_action"):
            async for payment in self.office.each(calls.payments(status=status, limit=100)):
                after = await self.office.cancel(payment["id"], wait_s=1)
                if after["status"] == "requires_action" and payment["wallet"] and payment["qr_code"]:
                    await self.shop.customers.scan(payment["wallet"], payment["qr_code"])

    async def sell_at_the_wall(self, times: int) -> None:
        """So many customers of each wallet pay at the printed code."""
        wallets = [wallet for wallet in WALLETS for _ in range(times)]
        await asyncio.gather(*[pays_at_the_wall(self.counters[0], self.wall, wallet) for wallet in wallets])


@asynccontextmanager
async def open_shop(
    stack: GatewayStack, book: ClientBook, seed: int, *, tills: int = 10, gives_up_after_s: float = 60
) -> AsyncIterator[OpenShop]:
    """The stack's own merchant opens: half of the tills talk to each gateway process.

    A cashier who has waited for so long for the end of a payment cancels it.
    """
    hooks, witness, key = Hooks(), Witness(book), stack.shop.key.secret
    async with AsyncExitStack() as closing:
        pool = await closing.enter_async_context(asyncpg.create_pool(stack.database_url, min_size=1, max_size=2))
        receiver = closing.enter_context(start_receiver())
        receiver.behaviour = hooks
        office = await closing.enter_async_context(AsyncClient(stack.url, api_key=key))
        hooks.secret = (await office.create_webhook_endpoint(receiver.url, description="the shop's server"))["secret"]
        wall = await office.create_code(name="Corner Café", store_id="s-1")
        shop = Shop(Customers(stack.simulators), Clock(pool), random.Random(seed), gives_up_after_s=gives_up_after_s)
        counters = []
        for number in range(tills):
            url = stack.urls[number % len(stack.urls)]
            client = AsyncClient(url, api_key=key, transport=witness.transport())
            await closing.enter_async_context(client)
            place = Place(store_id=f"s-{number % 2 + 1}", terminal_id=f"t-{number}", operator_id=f"o-{number % 3}")
            counters.append(Counter(shop, client, place))
        began = datetime.now(UTC) - timedelta(seconds=1)
        yield OpenShop(shop, counters, office, hooks, witness, wall, began)
