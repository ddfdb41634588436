"""A payment goes by what stands on the lists just now, in every process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from gateway.kernel.clock import rfc3339
from tests.support.gateway import GatewayStack
from tests.support.risk_rules import decision_of, published, rule, without_rules
from tests.support.till import Till
from tests.support.waiting import eventually

LISTS = "/admin/v1/risk/lists"
BLOCKED = rule("listed('block', 'customer') || listed('block', 'ip') || listed('block', 'card')")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    return {"gateways": 2}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def afterwards_no_rules(stack: GatewayStack) -> AsyncIterator[None]:
    yield
    await without_rules(stack)


async def sent(stack: GatewayStack, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with stack.admin() as admin:
        answer = await admin.post(f"{LISTS}{path}", json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_entry_counts_within_a_second_and_no_longer_once_it_is_removed(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    await published(stack, BLOCKED)
    customer = {"id": "c-listed", "ip": "203.0.113.7", "card_bin": "62220212"}
    assert (await till.taken(customer=customer))["status"] == "succeeded"
    for entry in (
        {"field": "customer", "value": "c-listed", "merchant_id": stack.shop.id},
        {"field": "ip", "value": "203.0.113.0/24"},
        {"field": "card", "value": "622202"},
    ):
        await sent(stack, "/block/entries", {"reason": "a test", "entries": [entry]})
        begun = time.monotonic()
        declined = await taken_until(till, customer, "failed")
        assert time.monotonic() - begun < 2.0, "a second, and the time of the payments on a busy machine"
        assert declined["failure"]["code"] == "risk_declined"
        row = await decision_of(database, declined)
        assert row is not None
        assert "true" in row["features"]
        await sent(stack, "/block/entries/remove", {"entries": [entry]})
        await taken_until(till, customer, "succeeded")


async def test_an_entry_that_has_expired_counts_no_longer(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    await published(stack, BLOCKED)
    now = await database.fetchval("SELECT now()")
    until = rfc3339(now + timedelta(seconds=3))
    entry = {"field": "customer", "value": "c-expiring", "merchant_id": stack.shop.id, "expires_at": until}
    await sent(stack, "/block/entries", {"reason": "a test", "entries": [entry]})
    await taken_until(till, {"id": "c-expiring"}, "failed")
    await taken_until(till, {"id": "c-expiring"}, "succeeded")


async def test_a_list_that_the_rules_in_force_ask_for_is_not_deleted(stack: GatewayStack) -> None:
    await sent(stack, "", {"name": "asked-for"})
    await published(stack, rule("listed('asked-for', 'region')"))
    async with stack.admin() as admin:
        refused = await admin.delete(f"{LISTS}/asked-for")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "list_in_use")
        await without_rules(stack)

        async def is_deleted() -> bool:  # the other process may know of the rules a moment longer
            return (await admin.delete(f"{LISTS}/asked-for")).status_code == 200

        await eventually(is_deleted)


async def taken_until(till: Till, customer: dict[str, Any], status: str) -> dict[str, Any]:
    """The first payment of the customer that ends so."""
    found: dict[str, Any] = {}

    async def ends_so() -> bool:
        nonlocal found
        found = await till.taken(customer=customer)
        return bool(found["status"] == status)

    await eventually(ends_so, 8)
    return found
