"""Receipts from outside: for the till as JSON and page, for the customer behind a link that nobody can guess."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.kernel.ids import new_id
from gateway.receipts.schemas import ReceiptObject
from tests.support.gateway import GatewayStack
from tests.support.refunds import refund
from tests.support.till import WALLETS, Till, error_of, payment_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def receipt_of(till: Till, payment: dict[str, Any]) -> dict[str, Any]:
    answer = await till.client.get(f"/v1/payments/{payment['id']}/receipt")
    assert answer.status_code == 200, answer.text
    ReceiptObject.model_validate_json(answer.content)
    found: dict[str, Any] = answer.json()
    return found


def path_of(receipt: dict[str, Any]) -> str:
    return httpx.URL(receipt["receipt_url"]).path


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_receipt_shows_what_was_paid_and_what_came_back(till: Till, wallet: str) -> None:
    payment = await till.paid(wallet, amount=2_599, store_id="s-1", terminal_id="t-1")
    paid = await receipt_of(till, payment)
    assert (paid["status"], paid["amount"], paid["discount"], paid["payable"]) == ("paid", 2_599, 0, 2_599)
    assert (paid["store_id"], paid["terminal_id"]) == ("s-1", "t-1")
    assert paid["channel_trade_no"] == payment["channel_trade_no"]
    assert (paid["discounts"], paid["refunds"], paid["returned_to_customer"]) == ([], [], 0)
    made = await refund(till, payment, 1_000)
    partly = await receipt_of(till, payment)
    assert (partly["status"], partly["returned_to_customer"]) == ("partly_refunded", 1_000)
    assert [found["merchant_refund_no"] for found in partly["refunds"]] == [made["merchant_refund_no"]]
    assert partly["paid_at"] == paid["paid_at"]
    assert partly["receipt_url"] == paid["receipt_url"]


async def test_a_voided_payment_has_a_receipt_that_says_so(till: Till) -> None:
    payment = await till.paid("wechat")
    cancelled = payment_of(await till.cancel(payment["id"], wait_s=10))
    assert (await till.settled(cancelled["id"], {"reversed"}))["reversal"] == "succeeded"
    found = await receipt_of(till, payment)
    assert (found["status"], found["returned_to_customer"]) == ("reversed", 2_599)


async def test_what_was_not_paid_has_none(till: Till) -> None:
    failed = await till.taken("wechat", "9001")
    error_of(await till.client.get(f"/v1/payments/{failed['id']}/receipt"), 409, "no_receipt")


async def test_another_merchants_payment_is_not_found(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid()
    async with stack.till(stack.new_shop()) as other:
        error_of(await other.client.get(f"/v1/payments/{payment['id']}/receipt"), 404, "not_found")
    error_of(await till.client.get(f"/v1/payments/{new_id('pay')}/receipt"), 404, "not_found")


async def test_a_browser_gets_a_page_and_anybody_the_public_one(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid("wechat", store_id="<b>s</b>")
    receipt = await receipt_of(till, payment)
    page = await till.client.get(f"/v1/payments/{payment['id']}/receipt", params={"format": "html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        public = await anybody.get(path_of(receipt), params={"from": "scanner"}, headers={"Accept-Language": "en"})
        chinese = await anybody.get(path_of(receipt), headers={"Accept-Language": "zh"})
    assert public.status_code == chinese.status_code == 200
    for text in (payment["merchant_order_no"], payment["channel_trade_no"], "¥25.99", "Paid", "&lt;b&gt;s&lt;/b&gt;"):
        assert text in public.text, text
    assert "电子凭证" in chinese.text
    assert "<script" not in public.text
    assert len(public.content) < 30 * 1024
    assert public.headers["x-robots-tag"] == "noindex, nofollow"
    assert public.headers["cache-control"] == "private, no-store"
    assert "default-src 'none'" in public.headers["content-security-policy"]


async def test_a_link_that_is_not_ours_leads_nowhere_and_tells_nothing(stack: GatewayStack, till: Till) -> None:
    token = path_of(await receipt_of(till, await till.paid())).removeprefix("/r/")
    changed = ("A" if token[-1] != "A" else "B").join((token[:-1], ""))
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        for wrong in (changed, token[:-1], token.lower(), token + "A", "x", "%00", "%F0%9F%8E%89", "a" * 2_000):
            answer = await anybody.get(f"/r/{wrong}")
            assert answer.status_code == 404, wrong
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
        error_of(await anybody.post(f"/r/{token}"), 405)


async def test_somebody_who_looks_too_often_has_to_wait(stack: GatewayStack, till: Till) -> None:
    path = path_of(await receipt_of(till, await till.paid()))
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        for _ in range(200):
            answer = await anybody.get(path)
            if answer.status_code == 429:
                break
    error_of(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_the_merchant_decides_how_discounts_are_shown(stack: GatewayStack) -> None:
    shop = stack.new_shop("receipts")
    async with stack.till(shop) as till, stack.admin() as admin:
        payment = await till.paid()
        path = f"/admin/v1/merchants/{shop.id}"
        for shows, amount in (("none", None), ("total", 2_599), ("by_funder", 2_599)):
            answer = await admin.patch(path, json={"receipt_discounts": shows})
            assert answer.json()["receipt_discounts"] == shows
            assert (await receipt_of(till, payment))["amount"] == amount
        assert (await admin.get(path)).json() == {
            "id": shop.id,
            "name": "receipts",
            "status": "active",
            "timezone": "Asia/Shanghai",
            "signing_required": False,
            "receipt_discounts": "by_funder",
            "customer_realm": None,
            "category": None,
            "region": None,
            "payments_per_s": None,
            "payments_burst": None,
            "payments_in_flight_max": None,
            "risk_tier": None,
            "risk_open_amount_max": 500_000,
        }


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"receipt_discounts": "some"}, "receipt_discounts"),
        ({"receipt_discounts": None}, "receipt_discounts"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"signing_required": "yes"}, "signing_required"),
        ({"status": "closed"}, "status"),
        ({"id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"}, "id"),
    ],
)
async def test_a_change_that_is_none_is_refused_by_name(
    stack: GatewayStack, change: dict[str, Any], param: str
) -> None:
    async with stack.admin() as admin:
        error_of(await admin.patch(f"/admin/v1/merchants/{stack.shop.id}", json=change), 400, param=param)


async def test_a_merchant_that_is_not_there_is_not_found_and_the_token_is_needed(stack: GatewayStack) -> None:
    path = f"/admin/v1/merchants/{new_id('mer')}"
    async with stack.admin() as admin:
        error_of(await admin.patch(path, json={"name": "x"}), 404, "not_found")
        error_of(await admin.get(path), 404, "not_found")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        error_of(await anybody.patch(path, json={"name": "x"}), 401, "invalid_admin_token")


async def test_a_merchants_new_name_is_on_its_receipts(stack: GatewayStack) -> None:
    shop = stack.new_shop("old name")
    async with stack.till(shop) as till, stack.admin() as admin:
        payment = await till.paid()
        await admin.patch(f"/admin/v1/merchants/{shop.id}", json={"name": "新店名"})

        async def renamed() -> bool:
            return (await receipt_of(till, payment))["merchant_name"] == "新店名"

        await eventually(renamed)
