"""Tills that sign instead of showing a bearer secret: signed by hand in the tests, not by the gateway's own code."""

from __future__ import annotations

import json
import time
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.merchants.store import Scope
from tests.support.gateway import GatewayStack
from tests.support.signing import sign
from tests.support.till import error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes: a nonce spent at one is spent at the other."""
    return {"gateways": 2}


async def _send(url: str, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=15) as client:
        return await client.request(method, target, headers=headers, content=body)


async def test_a_signed_till_takes_reads_and_lists_payments_without_a_bearer_key(stack: GatewayStack) -> None:
    key, body = stack.shop.key, json.dumps(new_order()).encode()
    paid = payment_of(
        await _send(stack.url, "POST", "/v1/payments", sign(key, "POST", "/v1/payments", body), body), 201
    )
    assert paid["status"] == "succeeded"
    target = f"/v1/payments?merchant_order_no={paid['merchant_order_no']}&limit=5"
    listed = await _send(stack.url, "GET", target, sign(key, "GET", target))
    assert [found["id"] for found in listed.json()["data"]] == [paid["id"]]
    target = f"/v1/payments/{paid['id']}"
    assert payment_of(await _send(stack.url, "GET", target, sign(key, "GET", target)))["id"] == paid["id"]


async def test_a_nonce_is_taken_once_by_all_processes_together(stack: GatewayStack) -> None:
    headers = sign(stack.shop.key, "GET", "/v1/payments")
    assert (await _send(stack.urls[0], "GET", "/v1/payments", headers)).status_code == 200
    for url in stack.urls:
        error_of(await _send(url, "GET", "/v1/payments", headers), 401, "nonce_reused")


async def test_a_request_that_was_changed_on_its_way_charges_nobody(stack: GatewayStack) -> None:
    order = new_order()
    body = json.dumps(order).encode()
    headers = sign(stack.shop.key, "POST", "/v1/payments", body)
    changed = json.dumps({**order, "amount": order["amount"] + 1}).encode()
    error_of(await _send(stack.url, "POST", "/v1/payments", headers, changed), 401, "invalid_signature")
    async with stack.till() as till:
        assert (await till.list(merchant_order_no=order["merchant_order_no"])).json()["data"] == []


@pytest.mark.parametrize("off_s", [-400, 400])
async def test_a_till_whose_clock_is_wrong_is_told_so(stack: GatewayStack, off_s: int) -> None:
    headers = sign(stack.shop.key, "GET", "/v1/payments", timestamp=str(int(time.time()) + off_s))
    error_of(await _send(stack.url, "GET", "/v1/payments", headers), 401, "stale_signature")


async def test_a_revoked_key_and_one_without_the_scope_sign_in_vain(stack: GatewayStack) -> None:
    limited = stack.new_key(stack.shop, frozenset({Scope.PAY}))
    headers = sign(limited, "GET", "/v1/payments")
    error_of(await _send(stack.url, "GET", "/v1/payments", headers), 403, "scope_missing")
    unknown = sign(limited, "GET", "/v1/payments", key_id="key_01JD5ZV8W3M0Q9C6R1T2X4Y7KB")
    error_of(await _send(stack.url, "GET", "/v1/payments", unknown), 401, "invalid_key")


async def test_a_merchant_that_requires_signing_takes_no_bearer_key(
    stack: GatewayStack, database: asyncpg.Connection
) -> None:
    shop = stack.new_shop()
    await database.execute("UPDATE merchants SET signing_required = true WHERE id = $1", shop.id)
    deadline = time.monotonic() + 5
    async with stack.till(key=shop.key.secret) as till:
        while (answer := await till.list()).status_code == 200:
            assert time.monotonic() < deadline, "the change has not reached the process"
        error_of(answer, 401, "signature_required")
    signed = sign(shop.key, "GET", "/v1/payments")
    assert (await _send(stack.url, "GET", "/v1/payments", signed)).status_code == 200
