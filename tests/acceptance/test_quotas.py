"""Merchants' quotas: set by the admin API, in force within a second at every process, and told in headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack, Shop
from tests.support.signing import sign
from tests.support.till import Till, error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    return {"gateways": 2}


@pytest.fixture(scope="module")
def shop(stack: GatewayStack) -> Shop:
    return stack.new_shop("shop with a quota")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


async def change(admin: httpx.AsyncClient, shop: Shop, **quota: int | None) -> dict[str, Any]:
    answer = await admin.patch(f"/admin/v1/merchants/{shop.id}", json=quota)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def refused_at(till: Till) -> httpx.Response:
    """Pay until a payment is refused; a change is in force within a second."""
    for _ in range(200):
        answer = await till.pay(new_order())
        if answer.status_code == 429:
            return answer
        payment_of(answer, 201)
    raise AssertionError("never refused")


async def taken_at(till: Till, order: dict[str, Any]) -> httpx.Response:
    """Send one order as often as a till does that heeds Retry-After, until it is taken."""
    for _ in range(30):
        answer = await till.pay(order)
        if answer.status_code == 201:
            return answer
        error_of(answer, 429, "merchant_rate")
        await asyncio.sleep(int(answer.headers["retry-after"]))
    raise AssertionError("never taken")


async def test_a_rate_holds_at_every_process_and_is_told_in_headers(
    stack: GatewayStack, admin: httpx.AsyncClient, shop: Shop
) -> None:
    changed = await change(admin, shop, payments_per_s=1, payments_burst=3)
    assert (changed["payments_per_s"], changed["payments_burst"], changed["payments_in_flight_max"]) == (1, 3, None)
    for gateway in (0, 1):
        async with stack.till(shop, gateway=gateway) as till:
            refused = await refused_at(till)
            error_of(refused, 429, "merchant_rate")
            assert refused.json()["error"]["type"] == "rate_limited"
            assert int(refused.headers["retry-after"]) >= 1
            assert (refused.headers["ratelimit-limit"], refused.headers["ratelimit-remaining"]) == ("1", "0")
            assert int(refused.headers["ratelimit-reset"]) >= 1
            order = new_order()
            taken = await taken_at(till, order)
            assert taken.headers["ratelimit-limit"] == "1"
            assert "idempotent-replayed" not in taken.headers


@pytest.mark.parametrize(("per_s", "status"), [(1_000, 201), (1, 429)])
async def test_a_till_that_signs_is_told_of_its_rate_too(
    stack: GatewayStack, admin: httpx.AsyncClient, shop: Shop, per_s: int, status: int
) -> None:
    await change(admin, shop, payments_per_s=per_s, payments_burst=per_s)
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False, timeout=15) as client:
        for _ in range(200):  # a change is in force within a second
            body = json.dumps(new_order()).encode()
            headers = sign(shop.key, "POST", "/v1/payments", body)
            answer = await client.post("/v1/payments", content=body, headers=headers)
            if (answer.status_code, answer.headers.get("ratelimit-limit")) == (status, str(per_s)):
                break
        else:
            raise AssertionError(answer.headers)
    await change(admin, shop, payments_per_s=None, payments_burst=None)


async def test_without_a_quota_there_is_no_such_header_and_taking_it_away_holds_at_once(
    stack: GatewayStack, admin: httpx.AsyncClient, shop: Shop, till: Till
) -> None:
    assert "ratelimit-limit" not in (await till.pay(new_order())).headers
    await change(admin, shop, payments_per_s=1, payments_burst=1)
    async with stack.till(shop) as limited:
        await refused_at(limited)
        await change(admin, shop, payments_per_s=None, payments_burst=None)
        await taken_at(limited, new_order())
        for _ in range(50):
            answer = await limited.pay(new_order())
            if answer.status_code == 201 and "ratelimit-limit" not in answer.headers:
                break
        answers = await asyncio.gather(*(limited.pay(new_order()) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [201] * 8


async def test_a_concurrency_refuses_what_would_be_one_too_many_and_reading_goes_on(
    stack: GatewayStack, admin: httpx.AsyncClient, shop: Shop
) -> None:
    await change(admin, shop, payments_in_flight_max=2)
    async with stack.till(shop) as till:
        for _ in range(50):
            told = await asyncio.gather(*(till.pay(new_order()) for _ in range(6)), till.list(limit=1))
            refused = [answer for answer in told if answer.status_code == 429]
            if len(refused) == 4:
                break
        for answer in refused:
            error_of(answer, 429, "merchant_concurrency")
            assert answer.headers["retry-after"] == "1"
        assert sorted(answer.status_code for answer in told) == [200, 201, 201, 429, 429, 429, 429]
    await change(admin, shop, payments_in_flight_max=None)


@pytest.mark.parametrize("name", ["payments_per_s", "payments_burst", "payments_in_flight_max"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "5", True, 10**9])
async def test_what_is_no_quota_is_refused_by_name(
    admin: httpx.AsyncClient, shop: Shop, name: str, value: object
) -> None:
    answer = await admin.patch(f"/admin/v1/merchants/{shop.id}", json={name: value})
    error_of(answer, 400, "invalid_field", name)


async def test_the_openapi_document_tells_of_quotas(stack: GatewayStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False, timeout=30) as client:
        document = (await client.get("/openapi.json")).json()
    answers = document["paths"]["/v1/payments"]["post"]["responses"]
    assert {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= set(
        answers["429"]["headers"]
    )
    assert {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= set(answers["201"]["headers"])
    assert "Retry-After" in answers["503"]["headers"]
