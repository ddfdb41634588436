"""Who may do what: keys, scopes, revocation on every process, and the admin API that makes them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from gateway.kernel.ids import new_id
from gateway.merchants.store import Scope
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes, for what is revoked on one must be dead on the other."""
    return {"gateways": 2}


async def _answers(till: Till, payment_id: str) -> dict[str, httpx.Response]:
    """One call of each kind."""
    return {
        "pay": await till.pay(new_order()),
        "cancel": await till.cancel(payment_id),
        "get": await till.get(payment_id),
        "list": await till.list(),
    }


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ({Scope.PAY}, {"pay", "cancel"}),
        ({Scope.READ}, {"get", "list"}),
        ({Scope.REFUND}, set()),
        ({Scope.PAY, Scope.READ}, {"pay", "cancel", "get", "list"}),
    ],
)
async def test_a_key_may_do_only_what_its_scopes_say(
    stack: GatewayStack, till: Till, scopes: set[Scope], allowed: set[str]
) -> None:
    payment = await till.taken(magic="9001")
    key = stack.new_key(stack.shop, frozenset(scopes))
    async with stack.till(key=key.secret) as limited:
        for call, answer in (await _answers(limited, payment["id"])).items():
            if call in allowed:
                assert answer.status_code in {200, 201}, (call, answer.text)
            else:
                error_of(answer, 403, "scope_missing")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"",
        b"Bearer",
        b"Basic c2s6",
        b"Bearer sk_test_unknown",
        b"Bearer sk_test_" + b"x" * 5_000,
        "Bearer sk_тест_💥".encode(),
        b"Bearer \xff\xfe\x80",
        b"Bearer sk_test_a, Bearer sk_test_b",
        b"bearer\tsk_test_x",
        b"Bearer ' OR 1=1 --",
    ],
)
async def test_whoever_shows_no_valid_key_is_refused_and_writes_nothing(
    stack: GatewayStack, till: Till, authorization: bytes | None
) -> None:
    headers = {} if authorization is None else {b"authorization": authorization}
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False, timeout=10) as client:
        order = new_order()
        error_of(await client.post("/v1/payments", json=order, headers=headers), 401)
        for method, path in (
            ("GET", "/v1/payments"),
            ("GET", f"/v1/payments/{new_id('pay')}"),
            ("POST", f"/v1/payments/{new_id('pay')}/cancel"),
        ):
            error_of(await client.request(method, path, headers=headers), 401)
        error_of(await client.post("/admin/v1/merchants", json={"name": "x"}, headers=headers), 401)
    assert (await till.list(merchant_order_no=order["merchant_order_no"])).json()["data"] == []


async def test_the_admin_token_is_no_merchants_key_and_a_merchants_key_no_admin_token(stack: GatewayStack) -> None:
    async with stack.till(key=stack.admin_token) as impostor:
        error_of(await impostor.list(), 401, "invalid_key")
    async with stack.till() as till:
        error_of(await till.client.get("/admin/v1/channel_accounts"), 401, "invalid_admin_token")


async def test_a_merchant_and_a_key_made_by_the_admin_can_pay_until_the_key_is_revoked_everywhere(
    stack: GatewayStack,
) -> None:
    async with stack.admin() as admin:
        made = await admin.post("/admin/v1/merchants", json={"name": "茶馆", "timezone": "Asia/Urumqi"})
        assert made.status_code == 201, made.text
        merchant = made.json()
        assert set(merchant) == {"id", "name", "timezone", "webhook_secret"}
        assert (merchant["name"], merchant["timezone"]) == ("茶馆", "Asia/Urumqi")
        assert merchant["webhook_secret"].startswith("whsec_")
        keys = [(await admin.post(f"/admin/v1/merchants/{merchant['id']}/keys", json={})).json() for _ in range(2)]
        assert set(keys[0]) == {"id", "merchant_id", "scopes", "secret", "signing_secret"}
        assert keys[0]["scopes"] == ["pay", "read", "refund", "webhooks"]

        tills = [stack.till(key=keys[0]["secret"], gateway=number) for number in range(2)]
        other = stack.till(key=keys[1]["secret"])
        for till in (*tills, other):
            await till.paid()
        revoked = await admin.post(f"/admin/v1/merchants/{merchant['id']}/keys/{keys[0]['id']}/revoke")
        assert revoked.status_code == 204
        assert revoked.content == b""
        deadline = time.monotonic() + 1
        for till in tills:
            while (await till.list()).status_code == 200:
                assert time.monotonic() < deadline, "a revoked key works for more than a second"
                await asyncio.sleep(0.02)
            error_of(await till.pay(new_order()), 401, "invalid_key")
        await other.paid()
        for till in (*tills, other):
            await till.client.aclose()


async def test_a_key_made_with_one_scope_has_only_that(stack: GatewayStack) -> None:
    async with stack.admin() as admin:
        made = await admin.post(f"/admin/v1/merchants/{stack.shop.id}/keys", json={"scopes": ["read"]})
        assert made.json()["scopes"] == ["read"]
    async with stack.till(key=made.json()["secret"]) as limited:
        error_of(await limited.pay(new_order()), 403, "scope_missing")


async def test_channel_accounts_are_listed_without_a_secret_and_drain_on_every_process(stack: GatewayStack) -> None:
    async with stack.admin() as admin:
        page = (await admin.get("/admin/v1/channel_accounts")).json()
        assert (page["object"], page["has_more"]) == ("list", False)
        accounts = {account["id"]: account for account in page["data"]}
        assert set(accounts) == {"alipay_direct", "unionpay_direct", "unionpay_keyed", "wechat_direct"}
        tills = [stack.till(gateway=number) for number in range(2)]
        for account, status, channel in (
            ("unionpay_direct", "draining", "unionpay_keyed"),
            ("unionpay_direct", "disabled", "unionpay_keyed"),
            ("unionpay_direct", "enabled", None),  # both can: the router has its choice
            ("unionpay_keyed", "draining", "unionpay_direct"),
            ("unionpay_keyed", "enabled", None),
        ):
            changed = await admin.patch(f"/admin/v1/channel_accounts/{account}", json={"status": status})
            assert changed.json()["status"] == status
            for till in tills if channel else ():
                await _until_channel(till, channel)
        await admin.patch("/admin/v1/channel_accounts/alipay_direct", json={"status": "disabled"})
        await _until_channel(tills[0], None, "alipay")
        payment = await tills[0].taken("alipay")
        assert (payment["status"], payment["failure"]["code"]) == ("failed", "no_channel")
        await admin.patch("/admin/v1/channel_accounts/alipay_direct", json={"status": "enabled"})
        for till in tills:
            await till.client.aclose()


@pytest.mark.parametrize(
    ("call", "body", "status", "param"),
    [
        ("POST /merchants", {}, 400, "name"),
        ("POST /merchants", {"name": ""}, 400, "name"),
        ("POST /merchants", {"name": "x" * 65}, 400, "name"),
        ("POST /merchants", {"name": "a\x00b"}, 400, "name"),
        ("POST /merchants", {"name": 5}, 400, "name"),
        ("POST /merchants", {"name": "x", "timezone": "Mars/Olympus"}, 400, "timezone"),
        ("POST /merchants", {"name": "x", "timezone": "America"}, 400, "timezone"),
        ("POST /merchants", {"name": "x", "timezone": "../../etc/passwd"}, 400, "timezone"),
        ("POST /merchants", {"name": "x", "timezone": "a\x00b"}, 400, "timezone"),
        ("POST /merchants", {"name": "x", "timezone": ""}, 400, "timezone"),
        ("POST /merchants", {"name": "x", "color": "red"}, 400, "color"),
        ("POST /merchants", [], 400, "body"),
        ("POST /merchants/mer_nobody/keys", {}, 400, "merchant_id"),
        ("POST /merchants/mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/keys", {}, 404, "merchant_id"),
        ("POST /merchants/mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/keys", {"scopes": []}, 400, "scopes"),
        ("POST /merchants/mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/keys", {"scopes": ["root"]}, 400, "scopes.0"),
        ("POST /merchants/mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/keys/%00/revoke", None, 400, "key_id"),
        (
            "POST /merchants/mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/keys/key_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/revoke",
            None,
            404,
            "key_id",
        ),
        ("PATCH /channel_accounts/nobody", {"status": "enabled"}, 404, "account_id"),
        ("PATCH /channel_accounts/%00", {"status": "enabled"}, 400, "account_id"),
        ("PATCH /channel_accounts/wechat_direct", {"status": "closed"}, 400, "status"),
        ("PATCH /channel_accounts/wechat_direct", {}, 400, "status"),
    ],
)
async def test_an_admin_request_that_is_wrong_is_refused_by_name(
    stack: GatewayStack, call: str, body: Any, status: int, param: str
) -> None:
    method, _, path = call.partition(" ")
    async with stack.admin() as admin:
        error_of(await admin.request(method, f"/admin/v1{path}", json=body), status, param=param)


async def test_a_key_of_another_merchant_cannot_be_revoked_through_this_one(stack: GatewayStack, till: Till) -> None:
    other = stack.new_shop()
    async with stack.admin() as admin:
        answer = await admin.post(f"/admin/v1/merchants/{other.id}/keys/{stack.shop.key.id}/revoke")
        error_of(answer, 404, "not_found", "key_id")
    assert payment_of(await till.pay(new_order()), 201)["status"] == "succeeded"


async def _until_channel(till: Till, channel: str | None, wallet: str = "unionpay") -> None:
    """Wait until payments of that wallet go to this channel; within a second, as every change must."""
    deadline = time.monotonic() + 1
    while (await till.taken(wallet))["channel"] != channel:
        assert time.monotonic() < deadline, f"payments do not go to {channel}"
        await asyncio.sleep(0.02)
