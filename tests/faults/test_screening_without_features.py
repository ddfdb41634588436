"""Valkey killed, hung, emptied, without its scripts while payments are screened: they go on as their merchants want."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import psutil
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from tests.faults.own_servers import database_url, stack, stores
from tests.support.gateway import GatewayStack, kill
from tests.support.risk_rules import decision_of, published, rule, without_rules
from tests.support.street import Stores
from tests.support.till import Till, new_order, payment_of
from tests.support.waiting import eventually

__all__ = ["database_url", "stack", "stores"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
FAST = rule("velocity('count', 'customer', '1h') >= 3", code="R_FAST")
HIGH = rule("payment.amount > 900000", code="R_HIGH")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def screened(stack: GatewayStack) -> AsyncIterator[None]:
    """Two rules are in force: one needs a counter, one does not."""
    await published(stack, FAST, HIGH)
    yield
    await without_rules(stack)


async def tolerate(stack: GatewayStack, amount: int | None) -> None:
    """What the shop takes while features are away; every process knows within a second."""
    async with stack.admin() as admin:
        path = f"/admin/v1/merchants/{stack.shop.id}"
        answer = await admin.patch(path, json={"risk_open_amount_max": amount})
        assert answer.status_code == 200, answer.text


async def counts(database: asyncpg.Connection, till: Till) -> None:
    """Wait until velocities are known again, and count."""

    async def is_so() -> bool:
        row = await decision_of(database, await till.taken(customer={"id": new_ulid()}))
        return row is not None and row["missed"] is None

    await eventually(is_so)
    customer = {"id": new_ulid()}
    for expected in (1, 2):
        row = await decision_of(database, await till.paid(customer=customer))
        assert row is not None
        assert (row["features"], row["missed"]) == (f"[{expected}]", None)
    assert (await till.taken(customer=customer))["risk"]["reasons"] == ["R_FAST"]


async def goes_on(database: asyncpg.Connection, till: Till, missed: set[str]) -> None:
    """Rules without features still decline; a customer beyond the velocity pays, up to what the merchant takes."""
    customer = {"id": new_ulid()}
    for _ in range(4):
        paid = await till.paid(customer=customer, amount=5_000)
        row = await decision_of(database, paid)
        assert row is not None
        assert row["features"] == "[null]"
        assert row["missed"] in missed
        assert row["beyond_tolerance"] is False
    declined = await till.taken(amount=900_001)
    assert (declined["failure"]["code"], declined["risk"]["reasons"]) == ("risk_declined", ["R_HIGH"])
    refused = await till.taken(amount=5_001, customer=customer)
    assert (await till.paid(amount=5_001))["risk"]["decision"] == "approve", "nobody is counted here"
    assert (refused["status"], refused["failure"]["code"]) == ("failed", "risk_unavailable")
    assert refused["failure"]["retryable"] is True
    row = await decision_of(database, refused)
    assert row is not None
    assert (row["verdict"], row["beyond_tolerance"]) == ("approve", True)


@pytest_asyncio.fixture(loop_scope="module")
async def till(stack: GatewayStack) -> AsyncIterator[Till]:
    async with stack.till() as opened:
        yield opened


async def test_payments_go_on_while_valkey_is_killed_and_are_counted_afterwards(
    stack: GatewayStack, stores: Stores, database: asyncpg.Connection, till: Till
) -> None:
    await tolerate(stack, 5_000)
    await counts(database, till)
    kill(stores.servers.valkey.child)
    try:
        await eventually(lambda: is_refused(till, 5_001))
        await goes_on(database, till, {"away", "deadline"})
    finally:
        await stores.start_valkey()
    await counts(database, till)


async def test_a_valkey_that_hangs_makes_decisions_wait_no_longer_than_the_deadline(
    stack: GatewayStack, stores: Stores, database: asyncpg.Connection, till: Till
) -> None:
    await tolerate(stack, 5_000)
    process = psutil.Process(stores.servers.valkey.child.pid)
    process.suspend()
    try:
        await eventually(lambda: is_refused(till, 5_001))
        await goes_on(database, till, {"away", "deadline"})
    finally:
        process.resume()
    await counts(database, till)


async def test_a_merchant_that_is_closed_takes_nothing_without_features_and_another_takes_all(
    stack: GatewayStack, stores: Stores, database: asyncpg.Connection, till: Till
) -> None:
    kill(stores.servers.valkey.child)
    try:
        await tolerate(stack, 0)
        await eventually(lambda: is_refused(till, 1))
        await tolerate(stack, None)

        async def takes_much() -> bool:
            taken = await till.taken(amount=899_999, customer={"id": new_ulid()})
            return bool(taken["status"] == "succeeded")

        await eventually(takes_much)
        assert (await till.taken(amount=900_001))["failure"]["code"] == "risk_declined"
    finally:
        await stores.start_valkey()
    await counts(database, till)


async def test_without_any_feature_in_the_rules_valkey_is_not_missed(
    stack: GatewayStack, stores: Stores, database: asyncpg.Connection, till: Till
) -> None:
    await tolerate(stack, 0)
    await published(stack, HIGH)
    kill(stores.servers.valkey.child)
    try:
        paid = await till.paid(amount=2_000, customer={"id": new_ulid()})
        row = await decision_of(database, paid)
        assert row is not None
        assert (row["missed"], row["beyond_tolerance"]) == (None, False)
    finally:
        await stores.start_valkey()


@pytest.mark.parametrize("loss", ["flushall", "script_flush"])
async def test_an_emptied_valkey_counts_from_the_beginning_and_no_payment_fails(
    stack: GatewayStack, stores: Stores, database: asyncpg.Connection, till: Till, loss: str
) -> None:
    await tolerate(stack, 5_000)
    await counts(database, till)
    with stores.client as client:
        for _ in range(5):
            getattr(client, loss)()
            assert (await till.paid(amount=4_000, customer={"id": new_ulid()}))["risk"]["decision"] == "approve"
    await counts(database, till)


async def test_a_retry_long_after_its_claim_has_expired_counts_once(
    stack: GatewayStack, stores: Stores, database: asyncpg.Connection, till: Till
) -> None:
    customer = {"id": new_ulid()}
    order = new_order(customer=customer)
    first = payment_of(await till.pay(order), 201)
    with stores.client as client:

        async def claim_is_gone() -> bool:
            return not client.exists(f"claim:{{{stack.shop.id}:{order['merchant_order_no']}}}")

        for _ in range(2):
            await eventually(claim_is_gone)
            again = await till.pay(order)
            assert (again.headers["idempotent-replayed"], again.json()["id"]) == ("true", first["id"])
    row = await decision_of(database, await till.paid(customer=customer))
    assert row is not None
    assert row["features"] == "[2]"


async def is_refused(till: Till, amount: int) -> bool:
    """Whether the processes know both the tolerance and that features are away."""
    payment = await till.taken(amount=amount, customer={"id": new_ulid()})
    failure: dict[str, Any] | None = payment["failure"]
    return failure is not None and failure["code"] == "risk_unavailable"
