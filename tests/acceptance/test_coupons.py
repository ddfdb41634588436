"""Coupons over HTTP: claimed, listed, granted, voided, redeemed at the till, given back; and who may not."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.coupons.schemas import CouponObject
from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_id
from gateway.merchants.store import Scope
from tests.support.gateway import GatewayStack, Shop
from tests.support.till import Till, error_of, new_order, shape_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
OFF = {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]}


async def _campaign(stack: GatewayStack, coupon: dict[str, Any] | None, **fields: Any) -> str:
    """An active campaign; its id."""
    document = {"name": "满20减5", "benefit": OFF, "funding": [{"sponsor": "bank", "share": "1"}], **fields}
    async with stack.admin() as admin:
        created = await admin.post("/admin/v1/campaigns", json={**document, "coupon": coupon})
        assert created.status_code == 201, created.text
        campaign_id: str = created.json()["id"]
        activated = await admin.post(f"/admin/v1/campaigns/{campaign_id}/activate", json={})
        assert activated.status_code == 200, activated.text
    return campaign_id


async def _at_the_till(stack: GatewayStack, till: Till, coupon: dict[str, Any], **fields: Any) -> str:
    """The same, once payments look at it: every process follows within a second."""
    campaign_id = await _campaign(stack, coupon, **fields)
    connection = await asyncpg.connect(stack.database_url)

    async def is_considered() -> bool:
        payment = await _pay(till, "somebody")
        pricing = await connection.fetchval("SELECT pricing::text FROM payments WHERE id = $1", payment["id"])
        return campaign_id in (pricing or "")

    try:
        await eventually(is_considered)
    finally:
        await connection.close()
    return campaign_id


async def _claim(till: Till, campaign_id: str, customer: str, *, key: str | None = None, **more: str) -> httpx.Response:
    wanted = {"campaign_id": campaign_id, "customer": {"id": customer, **more}}
    return await till.client.post("/v1/coupons", json=wanted, headers={} if key is None else {"Idempotency-Key": key})


async def _claimed(till: Till, campaign_id: str, customer: str, **more: str) -> dict[str, Any]:
    answer = await _claim(till, campaign_id, customer, **more)
    assert answer.status_code == 201, answer.text
    coupon: dict[str, Any] = answer.json()
    documented = CouponObject.model_validate_json(answer.content, strict=True).model_dump(mode="json")
    assert shape_of(coupon) == shape_of(documented)
    return coupon


async def _list(till: Till, customer: str, **filters: Any) -> list[dict[str, Any]]:
    answer = await till.client.get("/v1/coupons", params={"customer_id": customer, **filters})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def _refund(till: Till, payment: dict[str, Any], amount: int) -> None:
    wanted = {"payment_id": payment["id"], "amount": amount, "merchant_refund_no": new_id("r")[:30]}
    answer = await till.client.post("/v1/refunds", json=wanted)
    assert answer.status_code == 201, answer.text


async def _pay(till: Till, customer: str, *coupons: str, wallet: str = "wechat", **more: Any) -> dict[str, Any]:
    order = new_order(wallet, customer={"id": customer, **more}, coupons=list(coupons))
    answer = await till.pay(order)
    assert answer.status_code == 201, answer.text
    payment = await till.settled(answer.json()["id"])
    assert payment["status"] == "succeeded", payment
    return payment


# Claiming


async def test_a_coupon_is_claimed_read_and_listed(stack: GatewayStack, till: Till) -> None:
    campaign_id = await _campaign(stack, {"valid_days": 7})
    coupon = await _claimed(till, campaign_id, "c-1")
    assert (coupon["status"], coupon["source"], coupon["name"]) == ("valid", "claimed", "满20减5")
    lasts = datetime.fromisoformat(coupon["expires_at"]) - datetime.fromisoformat(coupon["created_at"])
    assert lasts == timedelta(days=7)
    assert (await till.client.get(f"/v1/coupons/{coupon['id']}")).json() == coupon
    assert await _list(till, "c-1") == [coupon]
    assert await _list(till, "c-1", status="redeemed") == []
    assert await _list(till, "c-2") == []


async def test_the_same_customer_and_key_get_the_same_coupon(stack: GatewayStack, till: Till) -> None:
    campaign_id, other_id = await _campaign(stack, {"per_customer": 2}), await _campaign(stack, {})
    first = await _claim(till, campaign_id, "c-3", key="once")
    again = await _claim(till, campaign_id, "c-3", key="once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    error_of(await _claim(till, other_id, "c-3", key="once"), 409, "idempotency_key_reused", "Idempotency-Key")
    assert (await _claim(till, campaign_id, "c-4", key="once")).json()["id"] != first.json()["id"]


async def test_a_customer_gets_no_more_than_allowed(stack: GatewayStack, till: Till) -> None:
    campaign_id = await _campaign(stack, {"per_customer": 2})
    answers = await asyncio.gather(*(_claim(till, campaign_id, "c-5") for _ in range(6)))
    assert Counter(each.status_code for each in answers) == {201: 2, 409: 4}
    error_of(answers[[each.status_code for each in answers].index(409)], 409, "limit_reached")


async def test_what_is_sold_out_is_open_again_within_a_second_of_more_stock(stack: GatewayStack, till: Till) -> None:
    campaign_id = await _campaign(stack, {"stock": 1})
    await _claimed(till, campaign_id, "c-6")
    for _ in range(2):  # the second answer comes from memory
        error_of(await _claim(till, campaign_id, "c-7"), 409, "sold_out", "campaign_id")
    async with stack.admin() as admin:
        changed = await admin.patch(f"/admin/v1/campaigns/{campaign_id}", json={"coupon": {"stock": 2}})
        assert changed.status_code == 200, changed.text
    await eventually(lambda: _gets_one(till, campaign_id, "c-7"), 1.5)
    error_of(await _claim(till, campaign_id, "c-8"), 409, "sold_out")


async def _gets_one(till: Till, campaign_id: str, customer: str) -> bool:
    return (await _claim(till, campaign_id, customer)).status_code == 201


async def test_before_the_set_second_the_till_is_told_when_to_come_again(stack: GatewayStack, till: Till) -> None:
    opens_at = datetime.now(UTC) + timedelta(hours=1)
    campaign_id = await _campaign(stack, {"claim_from": rfc3339(opens_at)})
    answer = await _claim(till, campaign_id, "c-9")
    assert rfc3339(opens_at) in error_of(answer, 409, "not_open_yet")["message"]
    assert 3590 <= int(answer.headers["retry-after"]) <= 3600


async def test_a_sale_opens_at_its_second_for_who_waits(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    opens_at = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    campaign_id = await _campaign(stack, {"stock": 3, "claim_from": rfc3339(opens_at)})
    answers = await asyncio.gather(*(_press_until_told(till, campaign_id, f"w-{number}") for number in range(12)))
    assert Counter(answers) == {"claimed": 3, "sold_out": 9}
    sold = await database.fetch("SELECT created_at FROM coupons WHERE campaign_id = $1", campaign_id)
    assert min(row["created_at"] for row in sold) >= opens_at


async def _press_until_told(till: Till, campaign_id: str, customer: str) -> str:
    while True:
        answer = await _claim(till, campaign_id, customer)
        told: str = "claimed" if answer.status_code == 201 else answer.json()["error"]["code"]
        if told != "not_open_yet":
            return told
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("coupon", "step", "refusal"),
    [
        (None, None, (404, "not_found")),
        ({"code": "SPRING5"}, None, (404, "not_found")),
        ({"claimable": False}, None, (409, "not_claimable")),
        ({}, "pause", (409, "campaign_paused")),
        ({}, "end", (409, "over")),
    ],
)
async def test_what_cannot_be_claimed_is_refused_with_the_reason(
    stack: GatewayStack, till: Till, coupon: dict[str, Any] | None, step: str | None, refusal: tuple[int, str]
) -> None:
    for_nobody_here = {"type": "amount_off", "tiers": [{"spend": 90_000_000, "off": 500}]}
    campaign_id = await _campaign(stack, coupon, benefit=for_nobody_here)
    if step is not None:
        async with stack.admin() as admin:
            await admin.post(f"/admin/v1/campaigns/{campaign_id}/{step}", json={})
    error_of(await _claim(till, campaign_id, "c-10"), *refusal, "campaign_id")


async def test_when_the_time_for_claims_is_over_nobody_gets_one(stack: GatewayStack, till: Till) -> None:
    ends_at = datetime.now(UTC) + timedelta(seconds=1)
    campaign_id = await _campaign(stack, {"claim_until": rfc3339(ends_at), "per_customer": 100_000})

    async def is_over() -> bool:
        answer = await _claim(till, campaign_id, "c-10")
        if answer.status_code == 201:
            assert datetime.fromisoformat(answer.json()["created_at"]) < ends_at
            return False
        error_of(answer, 409, "over", "campaign_id")
        return True

    await eventually(is_over)


async def test_coupons_of_a_bank_are_for_its_cards(stack: GatewayStack, till: Till) -> None:
    campaign_id = await _at_the_till(stack, till, {"bins": ["622202", "621700"]})
    error_of(await _claim(till, campaign_id, "c-11", card_bin="400000"), 409, "wrong_card", "customer.card_bin")
    coupon = await _claimed(till, campaign_id, "c-11", card_bin="62220201")
    other = await _pay(till, "c-11", coupon["id"], card_bin="400000")
    assert other["discount"] == 0
    own = await _pay(till, "c-11", coupon["id"], card_bin="622202")
    assert own["discount"] == 500


# Whose it is


async def test_nobody_sees_the_coupons_of_another_merchants_customers(stack: GatewayStack, till: Till) -> None:
    coupon = await _claimed(till, await _at_the_till(stack, till, {}), "c-12")
    async with stack.till(stack.new_shop()) as stranger:
        error_of(await stranger.client.get(f"/v1/coupons/{coupon['id']}"), 404, "not_found", "coupon_id")
        assert await _list(stranger, "c-12") == []
        assert (await _pay(stranger, "c-12", coupon["id"]))["discount"] == 0
    assert (await _pay(till, "c-13", coupon["id"]))["discount"] == 0
    assert (await _pay(till, "c-12", coupon["id"]))["discount"] == 500


async def _in_realm(stack: GatewayStack, realm: str) -> Shop:
    shop = stack.new_shop()
    async with stack.admin() as admin:
        changed = await admin.patch(f"/admin/v1/merchants/{shop.id}", json={"customer_realm": realm})
        assert changed.status_code == 200, changed.text
    return shop


async def test_merchants_of_one_realm_share_their_customers_coupons(stack: GatewayStack) -> None:
    cinema, restaurant = await _in_realm(stack, "old_town"), await _in_realm(stack, "old_town")
    async with stack.till(restaurant) as dinner, stack.till(cinema) as film:
        campaign_id = await _at_the_till(stack, film, {})
        coupon = await _claimed(dinner, campaign_id, "c-14")
        assert await _list(film, "c-14") == [coupon]
        assert (await film.client.get(f"/v1/coupons/{coupon['id']}")).json() == coupon
        assert (await _pay(film, "c-14", coupon["id"]))["discount"] == 500


@pytest.mark.parametrize(("scope", "claims"), [(Scope.READ, 403), (Scope.PAY, 201)])
async def test_claiming_needs_the_scope_of_payments(stack: GatewayStack, scope: Scope, claims: int) -> None:
    campaign_id = await _campaign(stack, {})
    async with stack.till(key=stack.new_key(stack.shop, frozenset({scope})).secret) as holder:
        assert (await _claim(holder, campaign_id, f"c-{scope}")).status_code == claims


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "campaign_id"),
        ({"campaign_id": "cam_1", "customer": {"id": "c"}}, "campaign_id"),
        ({"campaign_id": 7, "customer": {"id": "c"}}, "campaign_id"),
        ({"campaign_id": new_id("cam"), "customer": {}}, "customer.id"),
        ({"campaign_id": new_id("cam"), "customer": {"id": ""}}, "customer.id"),
        ({"campaign_id": new_id("cam"), "customer": {"id": "a\u0000b"}}, "customer.id"),
        ({"campaign_id": new_id("cam"), "customer": {"id": "x" * 65}}, "customer.id"),
        ({"campaign_id": new_id("cam"), "customer": {"id": "c", "card_bin": "62"}}, "customer.card_bin"),
        ({"campaign_id": new_id("cam"), "customer": {"id": "c", "ip": "::1"}}, "customer.ip"),
        ({"campaign_id": new_id("cam"), "customer": {"id": "c"}, "count": 2}, "count"),
        ({"campaign_id": new_id("cam"), "customer": {"id": "c"}}, "campaign_id"),
    ],
)
async def test_a_claim_that_is_wrong_names_its_field(till: Till, body: dict[str, Any], param: str) -> None:
    answer = await till.client.post("/v1/coupons", json=body)
    assert answer.status_code in {400, 404}, answer.text
    assert answer.json()["error"]["param"] == param


# At the till


async def test_a_redeemed_coupon_is_gone_and_a_full_refund_brings_it_back(stack: GatewayStack, till: Till) -> None:
    coupon = await _claimed(till, await _at_the_till(stack, till, {}), "c-15")
    payment = await _pay(till, "c-15", coupon["id"], wallet="alipay")  # takes one refund after another at once
    assert (payment["discount"], payment["payable"]) == (500, 2099)
    [shown] = await _list(till, "c-15")
    assert (shown["status"], shown["payment_id"]) == ("redeemed", payment["id"])
    assert (await _pay(till, "c-15", coupon["id"]))["discount"] == 0
    await _refund(till, payment, 2000)
    assert (await _list(till, "c-15"))[0]["status"] == "redeemed"
    await _refund(till, payment, 599)
    await eventually(lambda: _stands(till, "c-15", "valid"))
    assert (await _pay(till, "c-15", coupon["id"]))["discount"] == 500


async def test_a_coupon_stays_spent_after_a_refund_where_its_campaign_says_so(stack: GatewayStack, till: Till) -> None:
    coupon = await _claimed(till, await _at_the_till(stack, till, {"returns_on_refund": False}), "c-16")
    payment = await _pay(till, "c-16", coupon["id"])
    await _refund(till, payment, 2599)
    await eventually(lambda: _is_refunded(till, payment["id"], 2599))
    assert await _status(till, "c-16") == "redeemed"


async def test_a_coupon_of_a_payment_that_failed_is_free_again(stack: GatewayStack, till: Till) -> None:
    coupon = await _claimed(till, await _at_the_till(stack, till, {}), "c-17")
    declined = new_order(magic="9002", customer={"id": "c-17"}, coupons=[coupon["id"]])
    payment = (await till.pay(declined)).json()
    assert (payment["status"], payment["discount"]) == ("failed", 500), payment
    assert await _status(till, "c-17") == "valid"


async def test_one_coupon_pays_once_however_many_tills_try(stack: GatewayStack, till: Till) -> None:
    coupon = await _claimed(till, await _at_the_till(stack, till, {}), "c-18")
    payments = await asyncio.gather(*(_pay(till, "c-18", coupon["id"]) for _ in range(8)))
    assert sorted(payment["discount"] for payment in payments) == [0] * 7 + [500]


async def test_an_expired_coupon_pays_nothing_and_is_listed_as_what_it_is(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    campaign_id = await _at_the_till(stack, till, {"per_customer": 4, "valid_days": 1})
    coupons = [await _claimed(till, campaign_id, "c-19") for _ in range(4)]
    expired, redeemed, voided, valid = [coupon["id"] for coupon in coupons]
    await database.execute("UPDATE coupons SET expires_at = now() WHERE id = $1", expired)
    assert (await _pay(till, "c-19", redeemed))["discount"] == 500
    async with stack.admin() as admin:
        await admin.post(f"/admin/v1/coupons/{voided}/void", json={})
    by_status = {"expired": expired, "redeemed": redeemed, "voided": voided, "valid": valid}
    for status, coupon_id in by_status.items():
        assert [(each["id"], each["status"]) for each in await _list(till, "c-19", status=status)] == [
            (coupon_id, status)
        ]
    async with stack.admin() as admin:
        summary = (await admin.get(f"/admin/v1/campaigns/{campaign_id}/coupons")).json()
        assert summary["by_status"] == {"valid": 1, "redeemed": 1, "expired": 1, "voided": 1}
        await admin.post(f"/admin/v1/coupons/{valid}/void", json={})
        for worthless in (expired, redeemed, voided, valid):
            assert (await _pay(till, "c-19", worthless))["discount"] == 0
        await admin.post(f"/admin/v1/campaigns/{campaign_id}/end", json={})
        summary = (await admin.get(f"/admin/v1/campaigns/{campaign_id}/coupons")).json()
        assert summary["by_status"] == {"valid": 0, "redeemed": 1, "expired": 1, "voided": 2}


async def test_with_its_campaign_a_coupon_is_over(stack: GatewayStack, till: Till) -> None:
    campaign_id = await _campaign(stack, {"valid_days": 7})
    await _claimed(till, campaign_id, "c-21")
    async with stack.admin() as admin:
        await admin.post(f"/admin/v1/campaigns/{campaign_id}/end", json={})
    assert await _status(till, "c-21") == "expired"


async def test_pages_of_a_customers_coupons_follow_one_another(stack: GatewayStack, till: Till) -> None:
    campaign_id = await _campaign(stack, {"per_customer": 5})
    made = [(await _claimed(till, campaign_id, "c-20"))["id"] for _ in range(5)]
    first = (await till.client.get("/v1/coupons", params={"customer_id": "c-20", "limit": 3})).json()
    after = {"customer_id": "c-20", "limit": 3, "starting_after": first["data"][-1]["id"]}
    second = (await till.client.get("/v1/coupons", params=after)).json()
    assert [each["id"] for each in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_without_a_customer_all_of_the_merchants_are_listed(stack: GatewayStack) -> None:
    campaign_id, shop = await _campaign(stack, {}), stack.new_shop()
    async with stack.till(shop) as of_shop:
        made = [(await _claimed(of_shop, campaign_id, customer))["id"] for customer in ("a", "b")]
        listed = (await of_shop.client.get("/v1/coupons", params={"status": "valid"})).json()["data"]
    assert [each["id"] for each in listed] == made[::-1]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "c", "status": "held"}, "status"),
        ({"customer_id": "c", "campaign_id": "x"}, "campaign_id"),
        ({"customer_id": "c", "limit": 101}, "limit"),
        ({"customer_id": "c", "state": "valid"}, "state"),
    ],
)
async def test_a_list_that_is_asked_for_wrongly_names_the_parameter(
    till: Till, query: dict[str, Any], param: str
) -> None:
    error_of(await till.client.get("/v1/coupons", params=query), 400, param=param)


async def _status(till: Till, customer: str) -> str:
    status: str = (await _list(till, customer))[0]["status"]
    return status


async def _stands(till: Till, customer: str, status: str) -> bool:
    return await _status(till, customer) == status


async def _is_refunded(till: Till, payment_id: str, amount: int) -> bool:
    return bool((await till.get(payment_id)).json()["amount_refunded"] == amount)


# The manager


async def test_the_manager_grants_counts_and_voids(stack: GatewayStack, till: Till) -> None:
    campaign_id = await _at_the_till(stack, till, {"stock": 3, "claimable": False})
    path = f"/admin/v1/campaigns/{campaign_id}/coupons"
    wanted = {"merchant_id": stack.shop.id, "customers": ["g-1", "g-2", "g-2", "g-3"]}
    async with stack.admin() as admin:
        headers = {"Idempotency-Key": new_id("key")}
        granted = await admin.post(path, json=wanted, headers=headers)
        assert granted.status_code == 201, granted.text
        assert [each["customer_id"] for each in granted.json()["granted"]] == ["g-1", "g-2", "g-2"]
        assert granted.json()["refused"] == [{"customer_id": "g-3", "code": "sold_out"}]
        assert (await admin.post(path, json=wanted, headers=headers)).json() == granted.json()

        [coupon] = await _list(till, "g-1")
        assert (coupon["source"], coupon["status"]) == ("granted", "valid")
        voided = await admin.post(f"/admin/v1/coupons/{coupon['id']}/void", json={})
        assert (voided.status_code, voided.json()["status"], voided.json()["void_reason"]) == (200, "voided", "manager")
        again = await admin.post(f"/admin/v1/coupons/{coupon['id']}/void", json={})
        error_of(again, 409, "coupon_not_free", "coupon_id")
        assert (await _pay(till, "g-1", coupon["id"]))["discount"] == 0
        spent = (await _list(till, "g-2"))[0]
        assert (await _pay(till, "g-2", spent["id"]))["discount"] == 500
        error_of(await admin.post(f"/admin/v1/coupons/{spent['id']}/void", json={}), 409, "coupon_not_free")

        summary = (await admin.get(path)).json()
        assert (summary["stock"], summary["taken"], summary["left"]) == (3, 3, 0)
        assert summary["by_source"] == {"claimed": 0, "issued": 0, "granted": 3}
        assert summary["by_status"] == {"valid": 1, "redeemed": 1, "expired": 0, "voided": 1}
        listed = (await admin.get("/admin/v1/coupons", params={"campaign_id": campaign_id, "limit": 2})).json()
        assert (len(listed["data"]), listed["has_more"]) == (2, True)
        assert {each["merchant_id"] for each in listed["data"]} == {stack.shop.id}


async def test_what_the_manager_cannot_do_is_refused(stack: GatewayStack) -> None:
    coded = await _campaign(stack, {"code": "AUTUMN5"})
    own = await _campaign(stack, {})
    to_one = {"merchant_id": stack.shop.id, "customers": ["g-9"]}
    async with stack.admin() as admin:
        error_of(await admin.get(f"/admin/v1/campaigns/{coded}/coupons"), 409, "no_coupons", "campaign_id")
        nowhere = f"/admin/v1/campaigns/{new_id('cam')}/coupons"
        error_of(await admin.get(nowhere), 404, "not_found", "campaign_id")
        path = f"/admin/v1/campaigns/{own}/coupons"
        stranger = {**to_one, "merchant_id": new_id("mer")}
        error_of(await admin.post(path, json=stranger), 404, "not_found", "merchant_id")
        error_of(await admin.post(path, json={**to_one, "customers": []}), 400, param="customers")
        error_of(await admin.post(f"/admin/v1/coupons/{new_id('cpn')}/void", json={}), 404, param="coupon_id")
        await admin.post(f"/admin/v1/campaigns/{own}/end", json={})
        error_of(await admin.post(path, json=to_one), 409, "campaign_status")
