"""Codes that any wallet can pay: made, listed, drawn, printed, revoked; what is shown to anybody, and what is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.kernel.ids import new_id
from gateway.merchants.store import Scope
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_order

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _make(till: Till, **fields: Any) -> httpx.Response:
    return await till.client.post("/v1/codes", json=fields)


async def _made(till: Till, **fields: Any) -> dict[str, Any]:
    answer = await _make(till, **fields)
    assert answer.status_code == 201, answer.text
    code: dict[str, Any] = answer.json()
    return code


def _one_payment(**changes: Any) -> dict[str, Any]:
    order = new_order(**changes)
    return {name: order[name] for name in ("merchant_order_no", "amount", "currency")}


async def test_a_static_code_is_made_read_and_listed_with_what_it_holds(stack: GatewayStack, till: Till) -> None:
    made = await _made(till, type="static", name="Corner Café", store_id="s-9", metadata={"wall": "left"})
    assert (made["type"], made["status"], made["amount"], made["payment_id"]) == ("static", "active", None, None)
    assert made["url"].startswith(f"{stack.url}/q/s")
    assert (await till.client.get(f"/v1/codes/{made['id']}")).json() == made
    listed = (await till.client.get("/v1/codes", params={"store_id": "s-9"})).json()
    assert listed["data"] == [made]


async def test_a_code_without_type_or_order_number_is_static_and_named_like_the_merchant(till: Till) -> None:
    made = await _made(till)
    assert (made["type"], made["name"]) == ("static", "test shop")


async def test_a_code_for_one_payment_makes_the_payment_and_the_same_request_gives_both_again(till: Till) -> None:
    wanted = _one_payment(amount=2599)
    made = await _made(till, **wanted)
    assert (made["type"], made["status"], made["amount"]) == ("payment", "active", 2599)
    payment = (await till.get(made["payment_id"])).json()
    assert (payment["status"], payment["method"], payment["wallet"]) == ("requires_action", "qrcode", None)
    assert payment["qr_code"] == made["url"]
    again = await _make(till, **wanted)
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", made)


async def test_another_request_under_the_same_order_number_is_a_conflict(till: Till) -> None:
    wanted = _one_payment()
    await _made(till, **wanted)
    error_of(await _make(till, **wanted | {"amount": wanted["amount"] + 1}), 409, "order_no_reused")


@pytest.mark.parametrize(
    ("kind", "media_type", "magic"), [("svg", "image/svg+xml", b"<svg"), ("png", "image/png", b"\x89PNG")]
)
async def test_the_images_of_a_code_need_no_key(
    stack: GatewayStack, till: Till, kind: str, media_type: str, magic: bytes
) -> None:
    made = await _made(till, name="walls")
    path = httpx.URL(made[f"{kind}_url"]).path
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        small, large = await anybody.get(path, params={"scale": 1}), await anybody.get(path, params={"scale": 16})
    assert small.headers["content-type"] == large.headers["content-type"] == media_type
    assert small.content.startswith(magic)
    assert small.content != large.content


async def test_the_card_shows_the_name_as_text_whatever_it_holds(stack: GatewayStack, till: Till) -> None:
    made = await _made(till, name="<script>alert(1)</script> & “码”", amount=100)
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        card = await anybody.get(httpx.URL(made["card_url"]).path, headers={"Accept-Language": "en"})
    assert "<script>" not in card.text
    assert "&lt;script&gt;" in card.text
    assert "¥1.00" in card.text
    assert "default-src 'none'" in card.headers["content-security-policy"]


async def test_a_revoked_code_is_gone_for_whoever_scans_it(stack: GatewayStack, till: Till) -> None:
    made = await _made(till, name="old wall")
    revoked = (await till.client.post(f"/v1/codes/{made['id']}/revoke")).json()
    assert revoked["status"] == "revoked"
    assert revoked["revoked_at"] is not None
    again = (await till.client.post(f"/v1/codes/{made['id']}/revoke")).json()
    assert again == revoked
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        error_of(await anybody.get(httpx.URL(made["svg_url"]).path), 404, "not_found")
    assert made["id"] not in {code["id"] for code in (await till.client.get("/v1/codes?status=active")).json()["data"]}


async def test_nobody_reads_lists_or_revokes_the_codes_of_another_merchant(stack: GatewayStack, till: Till) -> None:
    made = await _made(till, name="mine")
    other = stack.new_shop()
    async with stack.till(key=other.key.secret) as stranger:
        assert (await stranger.client.get("/v1/codes")).json()["data"] == []
        error_of(await stranger.client.get(f"/v1/codes/{made['id']}"), 404, "not_found")
        error_of(await stranger.client.post(f"/v1/codes/{made['id']}/revoke"), 404, "not_found")
    limited = stack.new_key(stack.shop, frozenset({Scope.READ}))
    async with stack.till(key=limited.secret) as reader:
        error_of(await _make(reader, name="no"), 403, "scope_missing")
        assert (await reader.client.get("/v1/codes")).status_code == 200


@pytest.mark.parametrize(
    "token",
    ["s" + "A" * 22, "p" + "0" * 42, "p01JD5ZV8W3M0Q9C6R1T2X4Y7KB" + "A" * 16, "x" * 64],
)
async def test_a_token_that_was_not_made_here_leads_nowhere(stack: GatewayStack, token: str) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        error_of(await anybody.get(f"/q/{token}/code.svg"), 404, "not_found")


async def test_the_tag_of_one_payment_opens_no_other(stack: GatewayStack, till: Till) -> None:
    first, second = await _made(till, **_one_payment()), await _made(till, **_one_payment())
    one, other = (httpx.URL(made["url"]).path.rpartition("/")[2] for made in (first, second))
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        error_of(await anybody.get(f"/q/{one[:27]}{other[27:]}/code.svg"), 404, "not_found")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"type": "other"}, "type"),
        ({"type": "payment"}, "merchant_order_no"),
        ({"type": "payment", "merchant_order_no": "A-1"}, "amount"),
        ({"merchant_order_no": "A-1"}, "amount"),
        ({"merchant_order_no": "A 1", "amount": 1}, "merchant_order_no"),
        ({"type": "static", "merchant_order_no": "A-1"}, "merchant_order_no"),
        ({"type": "static", "expires_in": 300}, "expires_in"),
        ({"type": "static", "amount": 0}, "amount"),
        ({"type": "static", "amount": 1.5}, "amount"),
        ({"type": "static", "amount": True}, "amount"),
        ({"type": "static", "amount": "100"}, "amount"),
        ({"type": "static", "amount": 2**63}, "amount"),
        ({"type": "static", "name": ""}, "name"),
        ({"type": "static", "name": "a\x00b"}, "name"),
        ({"type": "static", "name": "x" * 128}, "name"),
        ({"type": "static", "currency": "USD"}, "currency"),
        ({"type": "static", "colour": "red"}, "colour"),
        ({"merchant_order_no": "A-1", "amount": 1, "expires_in": 59}, "expires_in"),
        ({"merchant_order_no": "A-1", "amount": 1, "notify_url": "ftp://x"}, "notify_url"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_made(till: Till, fields: dict[str, Any], param: str) -> None:
    before = (await till.client.get("/v1/codes?limit=1")).json()["data"]
    assert error_of(await _make(till, **fields), 400)["param"] == param
    assert (await till.client.get("/v1/codes?limit=1")).json()["data"] == before


async def test_unknown_codes_and_parameters_are_refused_by_name(till: Till) -> None:
    error_of(await till.client.get(f"/v1/codes/{new_id('cod')}"), 404, "not_found")
    error_of(await till.client.get("/v1/codes?colour=red"), 400, "unknown_field")
    error_of(await till.client.get("/v1/codes/../../admin"), 404)
