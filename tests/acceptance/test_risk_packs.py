"""Ready packs in force at a gateway: what happens at the till to those whom they are about, and to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from risk.packs import combined
from tests.support.discounts import OFF_FEN
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.risk_rules import published, without_rules
from tests.support.till import Till
from tests.support.waiting import eventually

__all__ = ["manager"]

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def afterwards_no_rules(stack: GatewayStack) -> AsyncIterator[None]:
    yield
    await without_rules(stack)


async def in_force(stack: GatewayStack, *packs: str) -> None:
    document = combined(packs)
    await published(stack, *document["rules"], thresholds=document["thresholds"])


def somebody(**known: Any) -> dict[str, Any]:
    """A customer whom nobody has seen, with a device of the customer's own unless one is given."""
    return {"id": f"c-{new_ulid()}", "device_id": f"d-{new_ulid()}", **known}


async def test_the_third_account_on_one_phone_pays_in_full_and_a_stranger_has_the_discount(
    stack: GatewayStack, manager: Manager, till: Till
) -> None:
    await in_force(stack, "starter", "bonus_hunting")
    await manager.start()
    phone = f"d-{new_ulid()}"
    hunters = [await till.paid(amount=2_001, customer=somebody(device_id=phone)) for _ in range(4)]
    assert [each["discount"] for each in hunters] == [OFF_FEN, OFF_FEN, 0, 0]
    assert [each["risk"]["reasons"] for each in hunters[1:3]] == [[], ["bonus_hunting.device_of_many_today"]]
    assert hunters[2]["risk"] == {
        "decision": "approve",
        "score": 30,
        "reasons": ["bonus_hunting.device_of_many_today"],
    }
    assert (await till.paid(amount=2_001, customer=somebody()))["discount"] == OFF_FEN


async def test_after_four_refusals_on_a_phone_the_channel_is_not_asked_again(stack: GatewayStack, till: Till) -> None:
    await in_force(stack, "card_testing")
    phone = f"d-{new_ulid()}"
    for _ in range(4):
        refused = await till.taken(magic="9001", amount=9_900, customer=somebody(device_id=phone))
        assert refused["failure"]["code"] == "insufficient_funds"

    async def is_declined() -> bool:
        """What was refused is counted a moment after the answer."""
        payment = await till.taken(amount=9_900, customer=somebody(device_id=phone))
        return payment["risk"]["reasons"] == ["card_testing.declines_on_device"] and payment["channel"] is None

    await eventually(is_declined)
    assert (await till.paid(amount=9_900, customer=somebody()))["risk"]["reasons"] == []


async def test_a_thief_with_a_new_phone_in_another_region_is_declined_and_the_customer_is_not(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    """The worker has made the customer's profile of three payments by then."""
    for store, region in (("here", "310000"), ("far", "440000")):
        await database.execute(
            "INSERT INTO stores (merchant_id, store_id, region) VALUES ($1, $2, $3)", stack.shop.id, store, region
        )
    await in_force(stack, "account_takeover")
    ada = somebody()
    for _ in range(3):
        assert (await till.paid(amount=5_000, customer=ada, store_id="here"))["risk"]["reasons"] == []
    profiles = "SELECT count(*) FROM risk_profiles WHERE payments = 3 AND amount = 15000 AND regions = '{310000}'"

    async def are_followed() -> bool:
        return bool(await database.fetchval(profiles) == 1)

    await eventually(are_followed)
    stolen = await till.taken(amount=60_000, customer={**ada, "device_id": "his"}, store_id="far")
    assert (stolen["status"], stolen["failure"]["code"]) == ("failed", "risk_declined")
    assert stolen["risk"]["reasons"] == ["account_takeover.device_region_amount"]
    assert (await till.paid(amount=60_000, customer=ada, store_id="far"))["risk"]["reasons"] == []


async def test_regulators_caps_are_counted_and_nobody_sees_anything_of_it(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    """A code for one payment is a dynamic one: ¥5,000 a day is level B's."""
    await in_force(stack, "regulator_caps")
    ada = somebody()
    orders = [
        await till.taken(method="qrcode", auth_code=None, wallet="alipay", amount=250_001, customer=ada)
        for _ in range(2)
    ]
    assert [each["risk"] for each in orders] == [{"decision": "approve", "score": 0, "reasons": []}] * 2
    told = [
        await database.fetchval("SELECT shadow FROM risk_decisions WHERE payment_id = $1", each["id"])
        for each in orders
    ]
    assert told == [None, ["regulator_caps.dynamic_b"]]
