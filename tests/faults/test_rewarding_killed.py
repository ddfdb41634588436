"""SIGKILL of the worker while it issues what a payment has earned, or calls it back: once all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_id
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.gateway import GatewayStack, kill
from tests.support.till import Till, new_order
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_COUNT: Final = 3
_WAITS: Final = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'mashang'"
)
STEPS: Final = {
    "before the payment is held": "SELECT FROM payments WHERE id = $1 FOR UPDATE",
    "before the stock is held": "LOCK TABLE coupon_stock IN SHARE ROW EXCLUSIVE MODE",
    "before a coupon is written": "LOCK TABLE coupons IN SHARE ROW EXCLUSIVE MODE",
    "before the merchant is told": "LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE",
}
TASK: Final = "SELECT FROM recovery_tasks WHERE payment_id = $1 AND purpose = 'reward' FOR UPDATE"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """One worker, with leases of two seconds."""
    return {"settings": FAULT_SETTINGS}


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def worker_is_back(stack: GatewayStack) -> AsyncIterator[None]:
    """Whatever a test has left."""
    yield
    if not stack.workers[0].running:
        stack.restart(stack.workers[0])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def film(stack: GatewayStack, database: asyncpg.Connection) -> str:
    """The campaign whose coupons are earned by each payment of ¥100 or more, in force."""
    share = [{"sponsor": "cinema", "share": "1"}]
    off = {"type": "amount_off", "tiers": [{"spend": 3000, "off": 1000}]}
    film = await _active(stack, {"name": "观影", "benefit": off, "funding": share, "coupon": {"claimable": False}})
    reward = {"type": "coupon", "campaign": film, "count": _COUNT, "spend": 10_000}
    dinner = await _active(stack, {"name": "餐后观影", "benefit": reward})
    async with stack.till() as till:

        async def is_considered() -> bool:
            payment = (await till.pay(new_order("alipay", amount=100, customer={"id": "nobody"}))).json()
            pricing = await database.fetchval("SELECT pricing::text FROM payments WHERE id = $1", payment["id"])
            return dinner in (pricing or "")

        await eventually(is_considered)
    return film


async def _active(stack: GatewayStack, document: dict[str, Any]) -> str:
    async with stack.admin() as admin:
        campaign_id: str = (await admin.post("/admin/v1/campaigns", json=document)).raise_for_status().json()["id"]
        (await admin.post(f"/admin/v1/campaigns/{campaign_id}/activate", json={})).raise_for_status()
    return campaign_id


async def _paid(stack: GatewayStack) -> str:
    """A payment that has earned coupons, while no worker runs."""
    kill(stack.workers[0])
    async with stack.till() as till:
        answer = await till.pay(new_order("alipay", amount=10_000, customer={"id": new_id("c")}))
        payment: dict[str, Any] = answer.json()
    assert payment["status"] == "succeeded", payment
    payment_id: str = payment["id"]
    return payment_id


@asynccontextmanager
async def _locked(stack: GatewayStack, statement: str, payment_id: str) -> AsyncIterator[None]:
    """Nobody else gets past that step while this is open."""
    connection = await asyncpg.connect(stack.database_url)
    try:
        async with connection.transaction():
            await connection.execute(statement, *([payment_id] if "$1" in statement else []))
            yield
    finally:
        await connection.close()


async def _until_it_waits(database: asyncpg.Connection) -> None:
    async def it_waits() -> bool:
        return bool(await database.fetchval(_WAITS))

    await eventually(it_waits)


async def _until_no_task(stack: GatewayStack, database: asyncpg.Connection, payment_id: str) -> None:
    """A worker works on until the payment's reward is settled."""
    stack.restart(stack.workers[0])

    async def is_none() -> bool:
        owed = "SELECT count(*) FROM recovery_tasks WHERE payment_id = $1 AND purpose = 'reward'"
        return not await database.fetchval(owed, payment_id)

    await eventually(is_none)


async def _issued(database: asyncpg.Connection, payment_id: str, film: str) -> tuple[int, int, int]:
    """Coupons of the payment, events that tell of them, and how many coupons the stock has counted too few or many."""
    row = await database.fetchrow(
        "SELECT (SELECT count(*) FROM coupons WHERE earned_by = $1) AS coupons,"
        " (SELECT count(*) FROM events e JOIN coupons c ON c.id = e.payment_id"
        "  WHERE c.earned_by = $1 AND e.type = 'coupon.issued') AS events,"
        " (SELECT taken FROM coupon_stock WHERE campaign_id = $2)"
        "  - (SELECT count(*) FROM coupons WHERE campaign_id = $2) AS off",
        payment_id,
        film,
    )
    assert row is not None
    return row["coupons"], row["events"], row["off"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_worker_killed_while_it_issues_has_issued_nothing_and_the_next_one_all(
    stack: GatewayStack, database: asyncpg.Connection, film: str, step: str
) -> None:
    payment_id = await _paid(stack)
    async with _locked(stack, STEPS[step], payment_id):
        stack.restart(stack.workers[0])
        await _until_it_waits(database)
        kill(stack.workers[0])
    assert (await _issued(database, payment_id, film))[:2] == (0, 0)
    await _until_no_task(stack, database, payment_id)
    assert await _issued(database, payment_id, film) == (_COUNT, _COUNT, 0)


async def test_a_worker_killed_before_its_task_ends_has_issued_nothing_either(
    stack: GatewayStack, database: asyncpg.Connection, film: str
) -> None:
    payment_id = await _paid(stack)
    async with AsyncExitStack() as until_killed:
        async with _locked(stack, STEPS["before the merchant is told"], payment_id):
            stack.restart(stack.workers[0])
            await _until_it_waits(database)
            await until_killed.enter_async_context(_locked(stack, TASK, payment_id))
        await _until_it_waits(database)
        kill(stack.workers[0])
    assert (await _issued(database, payment_id, film))[:2] == (0, 0)
    await _until_no_task(stack, database, payment_id)
    assert await _issued(database, payment_id, film) == (_COUNT, _COUNT, 0)


async def test_a_worker_killed_while_it_calls_a_reward_back_is_followed_by_one_that_does(
    stack: GatewayStack, database: asyncpg.Connection, film: str
) -> None:
    payment_id = await _paid(stack)
    await _until_no_task(stack, database, payment_id)
    async with _locked(stack, "SELECT FROM coupons WHERE earned_by = $1 FOR UPDATE", payment_id):
        async with stack.till() as till:
            await _refund(till, payment_id)
        await _until_it_waits(database)
        kill(stack.workers[0])
    voided = "SELECT count(*) FROM coupons WHERE earned_by = $1 AND void_reason = 'refunded'"
    assert await database.fetchval(voided, payment_id) == 0
    await _until_no_task(stack, database, payment_id)
    assert await database.fetchval(voided, payment_id) == _COUNT


async def _refund(till: Till, payment_id: str) -> None:
    wanted = {"payment_id": payment_id, "amount": 10_000, "merchant_refund_no": new_id("r")[:30]}
    refund = (await till.client.post("/v1/refunds", json=wanted)).json()

    async def is_done() -> bool:
        return bool((await till.client.get(f"/v1/refunds/{refund['id']}")).json()["status"] == "succeeded")

    await eventually(is_done)
