"""What the price of a payment and its reservation cost in CPU: the gateway's own desk and pool, in this process.

They are asked as the payment flow asks them, by so many at once as the benchmark has requests open, against the stack's
PostgreSQL and Valkey; the CPU time is this process's (`time.process_time`).
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import uvloop

from gateway.campaigns import Campaigns
from gateway.database.pool import open_pool
from gateway.database.valkey import Valkey
from gateway.devstack.ready import ReadyFile
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.settings import Settings
from promotions.budget.reservation import Exhausted
from promotions.desk import Asked, Promotions

_PAYMENTS: Final = 20_000
_WARM_UP: Final = 2_000
_CUSTOMERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class DiscountCost:
    """CPU of this process for each payment in µs, and the share of payments that took something of a budget."""

    us: float
    promoted: float


def measure_discounts(ready: ReadyFile, open_requests: int) -> DiscountCost:
    """Price payments, reserve, and release again: nothing is left of it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(ready, open_requests))


async def _measure(ready: ReadyFile, open_requests: int) -> DiscountCost:
    settings = Settings(
        database_url=ready.database_url,
        redis_url=ready.redis_url,
        master_key=base64.b64encode(os.urandom(32)).decode(),
        admin_token=ready.admin_token,
    )
    async with AsyncExitStack() as stack:
        pool = await open_pool(settings)
        stack.push_async_callback(pool.close)
        valkey = Valkey(settings)
        stack.push_async_callback(valkey.aclose)
        campaigns = Campaigns.of(settings, pool, pool, valkey, Vault(settings.master_key_bytes))
        await campaigns.reload()
        await stack.enter_async_context(campaigns.kept())
        orders = _orders(ready.merchant.id)
        await _take(campaigns.desk, orders, _WARM_UP, open_requests)
        began_s = time.process_time()
        promoted = await _take(campaigns.desk, orders, _PAYMENTS, open_requests)
        used_s = time.process_time() - began_s
        return DiscountCost(1e6 * used_s / _PAYMENTS, promoted / _PAYMENTS)


async def _take(desk: Promotions, orders: Iterator[Asked], number: int, open_requests: int) -> int:
    """So many payments, so many at once; how many had a discount of a limited budget."""
    left = iter(range(number))
    promoted = 0

    async def till() -> None:
        nonlocal promoted
        for _ in left:
            facts = await desk.facts(next(orders))
            offer = (await desk.offers(facts)).everywhere
            held = await desk.reserve(facts, offer, new_id("pay"))
            if held and not isinstance(held, Exhausted):
                promoted += 1
                desk.pool.release(held)

    await asyncio.gather(*[till() for _ in range(open_requests)])
    return promoted


def _orders(merchant_id: str) -> Iterator[Asked]:
    """As loadtests/traffic/orders.py has them."""
    number = 0
    while True:
        customer = number * 7919 % _CUSTOMERS
        yield Asked(
            merchant_id=merchant_id,
            realm=merchant_id,
            order_key=f"{merchant_id}:discounts-{number}",
            amount_fen=100 + number * 37 % 20_000,
            method="barcode",
            wallet="wechat",
            store_id=f"s-{customer % 50}",
            terminal_id=f"t-{customer % 200}",
            customer_id=f"c-{customer}",
            device_id=f"d-{customer}",
        )
        number += 1
