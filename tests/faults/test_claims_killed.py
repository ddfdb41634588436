"""SIGKILL of a gateway, and of PostgreSQL's connections, in the middle of a flash sale: sold exactly, none twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any, Final

import asyncpg
import httpx
import pytest

from gateway.kernel.ids import new_id
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.gateway import GatewayStack, kill

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_STOCK: Final = 150
_CUSTOMERS: Final = 400
_AGAIN: Final = frozenset({"busy", "database_busy", "database_unavailable", "try_again"})
_BACK_ENDS: Final = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'mashang' AND pid <> pg_backend_pid()"
)
_OUT: Final = "SELECT count(*) FROM coupons WHERE campaign_id = $1"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateways."""
    return {"settings": FAULT_SETTINGS, "gateways": 2}


async def _sale(stack: GatewayStack) -> str:
    document = {
        "name": "秒杀",
        "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]},
        "funding": [{"sponsor": "bank", "share": "1"}],
        "coupon": {"stock": _STOCK},
    }
    async with stack.admin() as admin:
        campaign_id: str = (await admin.post("/admin/v1/campaigns", json=document)).raise_for_status().json()["id"]
        (await admin.post(f"/admin/v1/campaigns/{campaign_id}/activate", json={})).raise_for_status()
    return campaign_id


async def _claim(stack: GatewayStack, client: httpx.AsyncClient, campaign_id: str, customer: str) -> str:
    """Press until told: at any gateway, under one key.  The coupon's id, or why there is none."""
    wanted, headers = {"campaign_id": campaign_id, "customer": {"id": customer}}, {"Idempotency-Key": new_id("key")}
    for _ in range(400):
        url = f"{random.choice(stack.urls)}/v1/coupons"
        try:
            answer = await client.post(url, json=wanted, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        body = answer.json()
        if answer.status_code == 201:
            return str(body["id"])
        if body["error"]["code"] not in _AGAIN:
            return str(body["error"]["code"])
        await asyncio.sleep(0.05)
    raise TimeoutError


async def _sell(stack: GatewayStack, database: asyncpg.Connection, fault: Any) -> None:
    """Sell, with a fault once the first coupons are out; then compare what was told with what is there."""
    campaign_id = await _sale(stack)
    headers = {"Authorization": f"Bearer {stack.shop.key.secret}"}
    async with httpx.AsyncClient(headers=headers, timeout=10, trust_env=False) as client, asyncio.TaskGroup() as group:
        waiting = [
            group.create_task(_claim(stack, client, campaign_id, f"{campaign_id} {number}"))
            for number in range(_CUSTOMERS)
        ]
        while not await database.fetchval(_OUT, campaign_id):  # noqa: ASYNC110  each moment counts
            await asyncio.sleep(0)
        await fault()
    told = [task.result() for task in waiting]
    rows = await database.fetch("SELECT id, customer FROM coupons WHERE campaign_id = $1", campaign_id)
    assert len({row["customer"] for row in rows}) == len(rows) == _STOCK
    assert Counter(each for each in told if each in {row["id"] for row in rows}) == {row["id"]: 1 for row in rows}
    assert Counter(each for each in told if not each.startswith("cpn_")) == {"sold_out": _CUSTOMERS - _STOCK}
    assert await database.fetchval("SELECT taken FROM coupon_stock WHERE campaign_id = $1", campaign_id) == _STOCK


async def test_a_gateway_killed_in_the_middle_of_a_sale(stack: GatewayStack, database: asyncpg.Connection) -> None:
    async def kill_one() -> None:
        kill(stack.gateways[0])
        await asyncio.to_thread(stack.restart, stack.gateways[0])

    await _sell(stack, database, kill_one)


async def test_connections_cut_in_the_middle_of_a_sale(stack: GatewayStack, database: asyncpg.Connection) -> None:
    async def cut() -> None:
        for _ in range(5):
            await database.fetchval(_BACK_ENDS)
            await asyncio.sleep(0.02)

    await _sell(stack, database, cut)
