"""满额返券: a captured payment earns its customer coupons, once; what comes back whole takes them along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_id
from tests.support.gateway import GatewayStack
from tests.support.till import Till, new_order
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
FUNDING = [{"sponsor": "cinema", "share": "1"}]
FILM = {
    "name": "观影立减",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 3000, "off": 1000}]},
    "funding": FUNDING,
}


async def _active(stack: GatewayStack, document: dict[str, Any]) -> str:
    async with stack.admin() as admin:
        created = await admin.post("/admin/v1/campaigns", json=document)
        assert created.status_code == 201, created.text
        campaign_id: str = created.json()["id"]
        activated = await admin.post(f"/admin/v1/campaigns/{campaign_id}/activate", json={})
        assert activated.status_code == 200, activated.text
    return campaign_id


async def _pay(till: Till, customer: str, amount: int, **more: Any) -> dict[str, Any]:
    answer = await till.pay(new_order("alipay", amount=amount, customer={"id": customer}, **more))
    assert answer.status_code == 201, answer.text
    payment = await till.settled(answer.json()["id"])
    assert payment["status"] == "succeeded", payment
    return payment


async def _coupons(till: Till, customer: str) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = (await till.client.get("/v1/coupons", params={"customer_id": customer})).json()[
        "data"
    ]
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def film(stack: GatewayStack, till: Till, database: asyncpg.Connection) -> str:
    """The campaign whose coupons are earned: two for each payment of ¥100 or more, once that is in force."""
    film = await _active(stack, {**FILM, "coupon": {"claimable": False, "valid_days": 30}})
    reward = {"type": "coupon", "campaign": film, "count": 2, "spend": 10_000}
    dinner = await _active(stack, {"name": "餐后观影", "benefit": reward})

    async def is_considered() -> bool:
        payment = await _pay(till, "nobody's friend", 100)
        pricing = await database.fetchval("SELECT pricing::text FROM payments WHERE id = $1", payment["id"])
        return dinner in (pricing or "")

    await eventually(is_considered)
    return film


async def _until_held(till: Till, customer: str, count: int, status: str = "valid") -> Sequence[dict[str, Any]]:
    async def are_held() -> bool:
        return [each["status"] for each in await _coupons(till, customer)] == [status] * count

    await eventually(are_held)
    return await _coupons(till, customer)


async def _until_no_task(database: asyncpg.Connection) -> None:
    async def is_none() -> bool:
        return not await database.fetchval("SELECT count(*) FROM recovery_tasks WHERE purpose = 'reward'")

    await eventually(is_none)


async def test_paying_enough_earns_coupons_that_pay_elsewhere_of_the_realm(till: Till, film: str) -> None:
    payment = await _pay(till, "r-1", 10_000)
    assert [(each["name"], each["discount"]) for each in payment["promotions"]] == [("餐后观影", 0)]
    first, second = await _until_held(till, "r-1", 2)
    for coupon in (first, second):
        assert (coupon["campaign_id"], coupon["source"], coupon["earned_by"]) == (film, "issued", payment["id"])
    assert (await _pay(till, "r-1", 3_000, coupons=[first["id"]]))["discount"] == 1_000


async def test_paying_less_earns_nothing(till: Till, film: str, database: asyncpg.Connection) -> None:
    await _pay(till, "r-2", 9_999)
    await _until_no_task(database)
    assert await _coupons(till, "r-2") == []


async def test_the_merchant_is_told_of_what_was_issued_and_voided(
    stack: GatewayStack, till: Till, film: str, database: asyncpg.Connection
) -> None:
    payment = await _pay(till, "r-3", 20_000)
    issued = await _until_held(till, "r-3", 2)
    await _refund(till, payment, 19_999)
    await _until_no_task(database)
    assert {each["status"] for each in await _coupons(till, "r-3")} == {"valid"}
    await _refund(till, payment, 1)
    voided = await _until_held(till, "r-3", 2, "voided")
    assert {each["void_reason"] for each in voided} == {"refunded"}
    for kind, status in (("coupon.issued", "valid"), ("coupon.voided", "voided")):
        listed = (await till.client.get("/v1/events", params={"type": kind})).json()["data"]
        told = [each for each in listed if each["data"]["id"] in {coupon["id"] for coupon in issued}]
        assert sorted(each["data"]["id"] for each in told) == sorted(coupon["id"] for coupon in issued)
        assert {(each["data"]["status"], each["data"]["object"], each["payment_id"]) for each in told} == {
            (status, "coupon", None)
        }


async def test_a_reward_that_was_redeemed_stays_redeemed_when_its_payment_is_refunded(
    till: Till, film: str, database: asyncpg.Connection
) -> None:
    payment = await _pay(till, "r-4", 10_000)
    first, second = await _until_held(till, "r-4", 2)
    assert (await _pay(till, "r-4", 3_000, coupons=[first["id"]]))["discount"] == 1_000
    await _refund(till, payment, 10_000)

    async def is_voided() -> bool:
        return {each["id"]: each["status"] for each in await _coupons(till, "r-4")} == {
            first["id"]: "redeemed",
            second["id"]: "voided",
        }

    await eventually(is_voided)


async def test_a_cancelled_payment_takes_its_rewards_along(till: Till, film: str) -> None:
    answer = await till.pay(new_order("unionpay", amount=10_000, customer={"id": "r-5"}))
    payment = answer.json()
    assert payment["status"] == "succeeded", payment
    await _until_held(till, "r-5", 2)
    cancelled = await till.client.post(f"/v1/payments/{payment['id']}/cancel")
    assert cancelled.status_code in {200, 202}, cancelled.text
    voided = await _until_held(till, "r-5", 2, "voided")
    assert {each["void_reason"] for each in voided} <= {"reversed", "refunded"}


async def test_where_the_stock_ends_the_rewards_end(
    stack: GatewayStack, till: Till, film: str, database: asyncpg.Connection
) -> None:
    await _until_no_task(database)
    taken = await database.fetchval("SELECT taken FROM coupon_stock WHERE campaign_id = $1", film)
    async with stack.admin() as admin:
        coupon = {"claimable": False, "valid_days": 30, "stock": taken + 1}
        changed = await admin.patch(f"/admin/v1/campaigns/{film}", json={"coupon": coupon})
        assert changed.status_code == 200, changed.text
    await _pay(till, "r-6", 10_000)
    await _until_held(till, "r-6", 1)
    await _until_no_task(database)
    assert len(await _coupons(till, "r-6")) == 1


async def _refund(till: Till, payment: dict[str, Any], amount: int) -> None:
    wanted = {"payment_id": payment["id"], "amount": amount, "merchant_refund_no": new_id("r")[:30]}
    answer = await till.client.post("/v1/refunds", json=wanted)
    assert answer.status_code == 201, answer.text
    refund_id = answer.json()["id"]

    async def is_done() -> bool:
        return bool((await till.client.get(f"/v1/refunds/{refund_id}")).json()["status"] == "succeeded")

    await eventually(is_done)
