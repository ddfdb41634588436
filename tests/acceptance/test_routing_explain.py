"""Why a payment went where it went, where one would go now, and how the accounts do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.policies import EXPLAIN, SECOND, add_second_account, in_force, put
from tests.support.till import Till, auth_code, new_code, payment_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIRST = "wechat_direct"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        await add_second_account(stack, client)
        yield client


async def explained(admin: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await admin.post(EXPLAIN, json=given)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def reasons(decision: dict[str, Any]) -> dict[str, str | None]:
    return {candidate["account"]: candidate["reason"] for candidate in decision["candidates"]}


async def set_terms(database: asyncpg.Connection, terms: dict[str, Any]) -> None:
    await database.execute("UPDATE channel_accounts SET terms = $2 WHERE id = $1", SECOND, json.dumps(terms))


async def test_a_payment_shows_what_was_decided_then_and_what_would_be_now(
    stack: GatewayStack, admin: httpx.AsyncClient, till: Till
) -> None:
    then = await put(admin, {"name": "then", "when": "payment.store_id == 's-7'", "order": [SECOND]})
    await in_force(stack, then["version"])
    payment = await till.paid("wechat", store_id="s-7", customer={"card_bin": "622202"})
    now = await put(admin, {"name": "now", "when": "payment.card_bin == '622202'", "exclude": [SECOND]})
    await in_force(stack, now["version"])

    found = await explained(admin, payment_id=payment["id"])
    assert (found["payment_id"], found["status"]) == (payment["id"], "succeeded")
    [attempt] = found["attempts"]
    assert (attempt["seq"], attempt["account"], attempt["state"]) == (1, SECOND, "captured")
    decided = attempt["decision"]
    assert (decided["account"], decided["why"], decided["rules"]) == (SECOND, "order", ["then"])
    assert decided["policy_version"] == then["version"]
    first, *others = decided["candidates"]
    assert (first["account"], first["reason"]) == (SECOND, None)
    assert first["fee"] == 10
    assert 0 < first["success"] <= 1
    assert FIRST in {other["account"] for other in others}
    assert found["now"]["account"] != SECOND
    assert (found["now"]["rules"], found["now"]["policy_version"]) == (["now"], now["version"])
    assert reasons(found["now"])[SECOND] == "excluded_by_policy"
    sale = found["sale"]
    assert (sale["amount"], sale["wallet"], sale["method"]) == (2599, "wechat", "barcode")
    assert (sale["merchant_id"], sale["store_id"], sale["card_bin"]) == (stack.shop.id, "s-7", "622202")
    assert sale["at"].endswith("+08:00")


async def test_a_sale_can_be_described_instead(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    rules = [
        {"name": "night", "when": "payment.hour < 6", "exclude": [FIRST]},
        {"name": "wall", "when": "payment.static_code", "order": [SECOND]},
        {"name": "shop", "when": f"payment.merchant_id == '{stack.shop.id}'", "exclude": [SECOND]},
    ]
    await in_force(stack, (await put(admin, *rules))["version"])
    noon = {"amount": 100, "wallet": "wechat", "at": "2026-11-22T12:00:00+08:00"}
    assert (await explained(admin, **noon))["now"]["rules"] == []
    night = await explained(admin, **noon | {"at": "2026-11-21T18:00:00Z"})
    assert reasons(night["now"])[FIRST] == "excluded_by_policy"
    assert night["sale"]["at"] == "2026-11-22T02:00:00.000+08:00"
    wall = await explained(admin, **noon, static_code=True)
    assert (wall["now"]["account"], wall["now"]["why"]) == (SECOND, "order")
    shop = await explained(admin, **noon, merchant_id=stack.shop.id, method="qrcode")
    assert shop["now"]["rules"] == ["shop"]
    by_code = await explained(admin, amount=100, auth_code=auth_code("alipay"))
    assert by_code["sale"]["wallet"] == "alipay"
    assert by_code["sale"]["merchant_id"] is None
    assert (by_code["payment_id"], by_code["attempts"]) == (None, [])


async def test_a_code_that_any_wallet_can_pay_has_no_route_yet(admin: httpx.AsyncClient, till: Till) -> None:
    payment = payment_of(await till.pay(new_code(None)), 201)
    found = await explained(admin, payment_id=payment["id"])
    assert (found["attempts"], found["sale"], found["now"]) == ([], None, None)


async def test_accounts_are_shown_with_what_the_router_knows_of_them(
    stack: GatewayStack, admin: httpx.AsyncClient, till: Till, database: asyncpg.Connection
) -> None:
    await in_force(stack, (await put(admin, {"name": "r", "when": "true", "order": [SECOND]}))["version"])
    for _ in range(5):
        await till.paid("wechat")
    terms = {
        "limits": {"day_fen": 1_000_000, "month_fen": 20_000_000},
        "maintenance": [{"from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "note": "over"}],
    }
    await set_terms(database, terms)

    async def shown() -> dict[str, Any]:
        listed = (await admin.get("/admin/v1/routing/accounts")).json()["data"]
        assert [account["id"] for account in listed] == sorted(account["id"] for account in listed)
        return next(account for account in listed if account["id"] == SECOND)

    async def is_known() -> bool:
        account = await shown()
        return account["day"]["captured"] >= 5 * 2599 and account["day"]["limit"] == 1_000_000

    await eventually(is_known)
    account = await shown()
    assert (account["channel"], account["status"], account["priority"]) == ("wechat", "enabled", 200)
    assert (account["open_now"], account["maintenance"]) == (True, [])
    assert account["month"]["captured"] >= account["day"]["captured"]
    assert account["month"]["limit"] == 20_000_000
    assert account["in_flight"] == 0
    assert account["in_flight_max"] >= 8
    barcode = next(cell for cell in account["cells"] if cell["method"] == "barcode")
    assert (barcode["wallet"], barcode["breaker"]) == ("wechat", "closed")
    assert 0 < barcode["success"] <= 1
    assert 0 < barcode["p50_ms"] <= barcode["p99_ms"]


async def test_accounts_are_listed_by_page_and_owner(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    whole = (await admin.get("/admin/v1/routing/accounts")).json()
    ids = [account["id"] for account in whole["data"]]
    assert not whole["has_more"]
    first = (await admin.get("/admin/v1/routing/accounts", params={"limit": 1})).json()
    assert ([account["id"] for account in first["data"]], first["has_more"]) == (ids[:1], True)
    rest = (await admin.get("/admin/v1/routing/accounts", params={"starting_after": ids[0]})).json()
    assert [account["id"] for account in rest["data"]] == ids[1:]
    owned = (await admin.get("/admin/v1/routing/accounts", params={"merchant_id": stack.shop.id})).json()
    assert owned["data"] == []


async def test_maintenance_is_shown_while_it_lasts(admin: httpx.AsyncClient, database: asyncpg.Connection) -> None:
    window = {"from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z", "note": "moving"}
    await set_terms(database, {"maintenance": [window]})

    async def shown() -> dict[str, Any]:
        listed = (await admin.get("/admin/v1/routing/accounts")).json()["data"]
        return next(account for account in listed if account["id"] == SECOND)

    async def is_closed() -> bool:
        return not (await shown())["open_now"]

    await eventually(is_closed)
    [announced] = (await shown())["maintenance"]
    assert (announced["note"], announced["now"]) == ("moving", True)
    found = await explained(admin, amount=100, wallet="wechat")
    assert reasons(found["now"])[SECOND] == "maintenance"
    await set_terms(database, {})
