"""PostgreSQL ends in mid-commit while a budget runs out: what nobody knows of is taken once, or not at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import pytest

from promotions.budget.reconciling import LIVES_GENERATIONS
from tests.faults.own_servers import database_url, stack, stores
from tests.support.book import ClientBook, PatientTill
from tests.support.discounts import OFF_FEN, PoolView, got_it, money_of
from tests.support.gateway import kill
from tests.support.load import Load, Sale
from tests.support.manager import Manager, manager
from tests.support.street import (
    CHECKS_OF_CUSTOMERS,
    DISCOUNTS,
    SHARE,
    Scene,
    Stores,
    Street,
    of_wallet,
    wait_for,
)
from tests.support.till import new_order

__all__ = ["database_url", "manager", "stack", "stores"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_PER_S: Final = 20

Until = Callable[[], Awaitable[None]]
Fault = Callable[[Stores, Until], Awaitable[None]]


async def kill_postgres(stores: Stores, runs_out: Until) -> None:
    """It recovers, and nobody knows which of the last commits were made."""
    kill(stores.servers.postgres.child)
    stores.servers.postgres.start()
    await asyncio.to_thread(stores.servers.postgres.wait_ready)
    await runs_out()


async def end_every_back_end(stores: Stores, runs_out: Until) -> None:
    """Again and again, in the middle of commits."""
    connection = await asyncpg.connect(stores.database_url)
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mashang'"
    for _ in range(5):
        await connection.execute(ending)
        await asyncio.sleep(0.3)
    await connection.close()
    await runs_out()


FAULTS: Final = [
    end_every_back_end,
    pytest.param(kill_postgres, marks=pytest.mark.long),  # its recovery takes its time
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_budget_that_runs_out_while_postgresql_goes_is_spent_to_its_last_discount(
    manager: Manager, stores: Stores, till: PatientTill, book: ClientBook, fault: Fault
) -> None:
    """A commit that nobody knows of is settled by the same statement again: it takes of budgets and shares once."""
    street = await Street.open(manager)
    load = Load(till, _PER_S, street.order)

    async def runs_out() -> None:
        await load.new_sales(DISCOUNTS, timeout_s=60)

    async with load.running():
        await wait_for(lambda: sum(map(got_it, of_wallet(load.sales, "wechat"))) >= DISCOUNTS // 5)
        await fault(stores, runs_out)
    async with PoolView.opened(stores.database_url, stores.redis_url) as pool:
        scene = Scene(manager.stack, manager, till, pool, book, street)
        await pool.hasten(LIVES_GENERATIONS + 1)
        await pool.until_right(street.declining)
        await _what_is_left_is_had(scene, load.sales)
        await scene.audit(*CHECKS_OF_CUSTOMERS)


async def _what_is_left_is_had(scene: Scene, sales: list[Sale]) -> None:
    """Payments that came to nothing gave all back: with one more crowd it is exact again."""
    street = scene.street
    given = sum(map(got_it, of_wallet(sales, "wechat")))
    while (payment := await scene.till.ring_up(new_order("wechat")))["status"] == "succeeded":
        assert payment["discount"] == OFF_FEN
        given += 1
    assert given == DISCOUNTS
    assert (await money_of(scene.manager, street.declining))[1:] == (DISCOUNTS * OFF_FEN, 0, 123, 0)
    shares = Counter(street.whose[sale.payment["merchant_order_no"]] for sale in sales if _is_share(sale))
    for customer in dict.fromkeys(street.whose.values()):
        for _ in range(SHARE):
            payment = await scene.till.ring_up(new_order("alipay", customer={"id": customer}))
            shares[customer] += payment["discount"] // OFF_FEN
    assert shares == dict.fromkeys(street.whose.values(), SHARE)


def _is_share(sale: Sale) -> bool:
    return got_it(sale) and sale.payment["wallet"] == "alipay"
