"""Codes that any wallet can pay: made, listed, drawn, printed, revoked; what is shown to anybody, and what is not."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from gateway.codes import images
from gateway.codes.schemas import CodeObject
from gateway.kernel.ids import new_id, new_ulid
from gateway.merchants.store import Scope
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_code, new_order, payment_of, shape_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _make(till: Till, *, key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await till.client.post("/v1/codes", json=fields, headers=headers)


async def _made(till: Till, **fields: Any) -> dict[str, Any]:
    answer = await _make(till, **fields)
    assert answer.status_code == 201, answer.text
    code: dict[str, Any] = answer.json()
    documented = CodeObject.model_validate_json(answer.content, strict=True).model_dump(mode="json")
    assert shape_of(code) == shape_of(documented)
    return code


def _one_payment(**changes: Any) -> dict[str, Any]:
    order = new_order(**changes)
    return {name: order[name] for name in ("merchant_order_no", "amount", "currency", *changes)}


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


async def test_the_code_of_one_payment_is_read_by_its_id_as_it_was_made(till: Till) -> None:
    made = await _made(till, **_one_payment(description="latte", store_id="s-4", metadata={"table": "12"}))
    assert (made["name"], made["description"], made["store_id"]) == ("test shop", "latte", "s-4")
    assert (await till.client.get(f"/v1/codes/{made['id']}")).json() == made
    error_of(await till.client.post(f"/v1/codes/{made['id']}/revoke"), 409, "code_of_a_payment")
    await till.cancel(made["payment_id"])
    await till.settled(made["payment_id"])
    assert (await till.client.get(f"/v1/codes/{made['id']}")).json() == made | {"status": "over"}
    assert made["id"] not in {code["id"] for code in (await till.client.get("/v1/codes?limit=100")).json()["data"]}


async def test_payments_without_a_code_of_their_own_are_no_codes(till: Till) -> None:
    for payment in (await till.paid("wechat"), payment_of(await till.pay(new_code("wechat")), 201)):
        code_id = f"cod_{payment['id'].removeprefix('pay_')}"
        error_of(await till.client.get(f"/v1/codes/{code_id}"), 404, "not_found")
        error_of(await till.client.post(f"/v1/codes/{code_id}/revoke"), 404, "not_found")


async def test_the_same_key_and_request_give_the_same_static_code(till: Till) -> None:
    key, wanted = f"wall-{new_ulid()}", {"type": "static", "name": "wall", "metadata": {"b": "2", "a": "1"}}
    answers = await asyncio.gather(*[_make(till, key=key, **wanted) for _ in range(6)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == [""] + ["true"] * 5
    other = await _make(till, key=f"{key}-2", **wanted)
    assert other.json()["id"] != answers[0].json()["id"]
    assert (await _make(till, **wanted)).json()["id"] != answers[0].json()["id"], "without a key each is a new one"


async def test_another_request_under_the_same_key_is_a_conflict(till: Till) -> None:
    key = f"wall-{new_ulid()}"
    await _make(till, key=key, name="wall", amount=100)
    for fields in ({"name": "wall", "amount": 101}, {"name": "wall"}, {"name": "wall", "amount": 100, "store_id": "s"}):
        error_of(await _make(till, key=key, **fields), 409, "idempotency_key_reused", "Idempotency-Key")


async def test_a_key_is_the_merchants_own(stack: GatewayStack, till: Till) -> None:
    key = f"wall-{new_ulid()}"
    mine = (await _make(till, key=key, name="wall")).json()
    async with stack.till(stack.new_shop("another shop")) as stranger:
        theirs = (await _make(stranger, key=key, name="wall")).json()
    assert mine["id"] != theirs["id"]
    assert mine["url"] != theirs["url"]


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
async def test_a_key_that_is_none_is_refused(till: Till, key: str) -> None:
    answer = await till.client.post("/v1/codes", json={"name": "x"}, headers={b"Idempotency-Key": key.encode()})
    assert error_of(answer, 400)["param"].lower() == "idempotency-key"


async def test_a_revoked_code_is_given_again_under_its_key_as_it_stands(till: Till) -> None:
    key = f"wall-{new_ulid()}"
    made = (await _make(till, key=key, name="wall")).json()
    revoked = (await till.client.post(f"/v1/codes/{made['id']}/revoke")).json()
    assert (await _make(till, key=key, name="wall")).json() == revoked


async def test_a_long_list_is_read_page_by_page_newest_first(stack: GatewayStack) -> None:
    async with stack.till(stack.new_shop("many walls")) as till:
        made = [await _made(till, name=f"wall {number}", store_id=f"s-{number % 2}") for number in range(7)]
        await till.client.post(f"/v1/codes/{made[0]['id']}/revoke")
        pages, after = [], {}
        while True:
            page = (await till.client.get("/v1/codes", params={"limit": 3, **after})).json()
            pages.append([code["id"] for code in page["data"]])
            if not page["has_more"]:
                break
            after = {"starting_after": pages[-1][-1]}
        assert [len(page) for page in pages] == [3, 3, 1]
        assert [code_id for page in pages for code_id in page] == [code["id"] for code in reversed(made)]
        of_store = (await till.client.get("/v1/codes", params={"store_id": "s-0", "status": "active"})).json()
        assert [code["name"] for code in of_store["data"]] == ["wall 6", "wall 4", "wall 2"]


async def test_metadata_and_names_are_kept_exactly(till: Till) -> None:
    texts = {
        "emoji": "😀👩‍👧",
        "rtl": "\u202eevil",
        "twins": "é e\u0301",
        "sql": "'; DROP TABLE codes; --",
        "z": "",
        "a": "{}",
    }
    made = await _made(till, name="\u202eمقهى 😀 <b>", description="'\"\\ ${x}", metadata=texts)
    assert list(made["metadata"].items()) == list(texts.items())
    assert (made["name"], made["description"]) == ("\u202eمقهى 😀 <b>", "'\"\\ ${x}")
    assert (await till.client.get(f"/v1/codes/{made['id']}")).content == (
        await till.client.get("/v1/codes", params={"limit": 1})
    ).content.removeprefix(b'{"object":"list","data":[').removesuffix(b'],"has_more":true}')


@pytest.mark.parametrize(("kind", "media_type"), [("svg", "image/svg+xml"), ("png", "image/png")])
async def test_the_code_of_a_payment_is_had_as_an_image_while_it_is_shown(
    stack: GatewayStack, till: Till, kind: str, media_type: str
) -> None:
    payment = payment_of(await till.pay(new_code("wechat")), 201)
    path = f"/v1/payments/{payment['id']}/qr_code.{kind}"
    drawn = await till.client.get(path, params={"scale": 3})
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, media_type)
    assert drawn.headers["cache-control"] == "private, no-store"
    assert drawn.content == getattr(images, kind)(payment["qr_code"], 3)
    limited = stack.new_key(stack.shop, frozenset({Scope.PAY}))
    async with stack.till(key=limited.secret) as writer, stack.till(stack.new_shop()) as stranger:
        error_of(await writer.client.get(path), 403, "scope_missing")
        error_of(await stranger.client.get(path), 404, "not_found")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        error_of(await anybody.get(path), 401, "missing_key")
    await till.cancel(payment["id"])
    await till.settled(payment["id"])
    error_of(await till.client.get(path), 409, "nothing_to_show")


async def test_a_bar_code_payment_shows_no_code(till: Till) -> None:
    payment = await till.paid("alipay")
    error_of(await till.client.get(f"/v1/payments/{payment['id']}/qr_code.svg"), 409, "nothing_to_show")
    error_of(await till.client.get(f"/v1/payments/{new_id('pay')}/qr_code.svg"), 404, "not_found")
    error_of(await till.client.get(f"/v1/payments/{payment['id']}/qr_code.gif"), 400, "invalid_field", "kind")
    error_of(await till.client.get(f"/v1/payments/{payment['id']}/qr_code.svg?scale=99"), 400, "invalid_field", "scale")
    error_of(await till.client.get(f"/v1/payments/{payment['id']}/qr_code.svg?size=9"), 400, "unknown_field", "size")


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
    assert small.headers["x-content-type-options"] == "nosniff"
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
        ({"merchant_order_no": "A-1", "amount": 1, "notify_url": "https://10.0.0.1/hook"}, "notify_url"),
        ({"merchant_order_no": "A-1", "amount": 1, "name": "another shop"}, "name"),
        ({"type": "payment", "merchant_order_no": "A-1", "amount": 1, "name": "another shop"}, "name"),
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
