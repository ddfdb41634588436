"""The cashier's endpoints take what their own page sends and nothing else; whoever sends too much waits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
import redis

from gateway.codes.sales import TYPED_FEN_MAX
from tests.support.cashier import CashierPage, Customer, code_of_one, made_code
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of
from tests.support.written import written

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "sAAAAAAAAAAAAAAAAAAAAAA"
CUSTOMERS_PATHS = ("/q/{token}", "/q/{token}/back/{wallet}", "/q/{token}/card")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Codes lead to the gateway itself."""
    return {"callbacks": True}


@pytest.fixture
def counters(redis_url: str) -> Iterator[redis.Redis]:
    """Where the limits are counted; nothing is counted before the test and after it."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        for key in client.scan_iter("rate:*"):
            client.delete(key)
        yield client
        for key in client.scan_iter("rate:*"):
            client.delete(key)


@pytest_asyncio.fixture(loop_scope="module")
async def customer(stack: GatewayStack) -> AsyncIterator[Customer]:
    """Somebody with WeChat."""
    async with Customer(stack, "wechat") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def page(till: Till, customer: Customer, counters: redis.Redis) -> CashierPage:
    """A static code, opened by the customer."""
    return await customer.open((await made_code(till))["url"])


def _fill(counters: redis.Redis, limit: str, calls: int) -> None:
    """So often was the limit used by whoever has used it once."""
    keys = list(counters.scan_iter(f"rate:{{{limit}:*"))
    assert keys, limit
    for key in keys:
        counters.set(key, calls, keepttl=True)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (0, "invalid_field"), (-1, "invalid_field"), (1.5, "invalid_field"), ("1", "invalid_field"),
        (True, "invalid_field"), (2**63, "invalid_field"), (10**400, "invalid_field"), (1e308, "invalid_field"),
        (TYPED_FEN_MAX + 1, "invalid_field"), ([1], "invalid_field"), ({"fen": 1}, "invalid_field"),
        (None, "missing_field"),
    ],
)  # fmt: skip
async def test_an_amount_that_is_none_is_refused_by_name_and_nothing_is_written(
    customer: Customer, page: CashierPage, database: asyncpg.Connection, amount: Any, code: str
) -> None:
    before = await written(database)
    answer = await customer.asked(page, sale=page.sale, amount=amount)
    error_of(answer, 400, code, "amount")
    assert await written(database) == before


@pytest.mark.parametrize("amount", [1, TYPED_FEN_MAX])
async def test_the_least_and_the_most_that_can_be_typed_are_taken(
    customer: Customer, page: CashierPage, amount: int
) -> None:
    assert (await customer.ready(page, amount))["amount"] == amount


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b'{"amount": 100, "sale": "%s", "colour": 1}', 400, "unknown_field", "colour"),
        (b'{"amount": NaN, "sale": "%s"}', 400, "invalid_field", "amount"),
        (b'{"amount": 1e309, "sale": "%s"}', 400, "invalid_field", "amount"),
        (b'{"amount": 100}', 400, "unknown_sale", "sale"),
        (b'{"amount": 100, "sale": ""}', 400, "unknown_sale", "sale"),
        (b'{"amount": 100, "sale": 5}', 400, "invalid_field", "sale"),
        (b'{"amount": 100, "sale": "\\ud800"}', 400, "invalid_field", "sale"),
        (b'{"amount": 100, "sale": "\\u0000"}', 400, "unknown_sale", "sale"),
        (b'{"amount": 100, "sale": "01JD5ZV8W3M0Q9C6R1T2X4Y7KBMZXW6YTBOI2GK3DF"}', 400, "unknown_sale", "sale"),
        (b'{"amount": 100, "sale": "' + b"A" * 65 + b'"}', 400, "invalid_field", "sale"),
        (b"[]", 400, None, None),
        (b"null", 400, None, None),
        (b"{", 400, "invalid_json", "body"),
        (b"[" * 9_000, 400, None, None),
        (b'{"sale": "%s"', 400, "invalid_json", "body"),
        (b"\xff\xfe", 400, None, None),
        (b"", 400, None, None),
        (b" " * 40_000, 413, "body_too_large", "body"),
    ],
)
async def test_a_body_that_the_page_would_not_send_is_refused(
    stack: GatewayStack,
    customer: Customer,
    page: CashierPage,
    *,
    database: asyncpg.Connection,
    body: bytes,
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    before = await written(database)
    content = body.replace(b"%s", (page.sale or "").encode())
    headers = {"Content-Type": "application/json"}
    answer = await customer.client.post(f"{stack.url}/q/{page.token}/pay", content=content, headers=headers)
    error_of(answer, status, code, param)
    assert await written(database) == before


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403, "not_own_page"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "not_own_page"),
        ({"Sec-Fetch-Site": "none"}, 403, "not_own_page"),
        ({"Origin": "https://evil.example"}, 403, "not_own_page"),
        ({"Origin": "null"}, 403, "not_own_page"),
        ({"Origin": ""}, 403, "not_own_page"),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403, "not_own_page"),
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415, "unsupported_media_type"),
        ({"Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
    ],
)
@pytest.mark.parametrize("what", ["pay", "give_up"])
async def test_a_request_that_another_site_makes_a_browser_send_is_refused(
    stack: GatewayStack,
    customer: Customer,
    page: CashierPage,
    *,
    database: asyncpg.Connection,
    what: str,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    before = await written(database)
    body = json.dumps({"sale": page.sale} | ({"amount": 100} if what == "pay" else {})).encode()
    sent = {"Content-Type": "application/json"} | headers
    answer = await customer.client.post(f"{stack.url}/q/{page.token}/{what}", content=body, headers=sent)
    error_of(answer, status, code)
    assert await written(database) == before


async def test_the_pages_own_request_passes_as_browsers_send_it(
    stack: GatewayStack, customer: Customer, page: CashierPage
) -> None:
    customer.client.headers.update({"Origin": stack.url, "Sec-Fetch-Site": "same-origin"})
    await customer.ready(page, amount=100)


async def test_who_is_not_identified_begins_nothing(
    stack: GatewayStack, page: CashierPage, database: asyncpg.Connection
) -> None:
    before = await written(database)
    async with Customer(stack, "wechat") as stranger:
        error_of(await stranger.asked(page, amount=100), 403, "not_identified")
        for cookie in ("", "00", "zz", "ab" * 5_000, "\\\\", "%00"):
            stranger.client.headers["Cookie"] = f"mashang_visit={cookie}"
            answer = await stranger.asked(page, amount=100)
            assert answer.status_code in {400, 403, 431}, answer.text
    assert await written(database) == before


async def test_the_code_of_one_payment_has_no_sale_to_give_up(
    stack: GatewayStack, till: Till, customer: Customer
) -> None:
    one = await customer.open((await code_of_one(till))["url"])
    answer = await customer.client.post(f"{stack.url}/q/{one.token}/give_up", json={"sale": "x"})
    error_of(answer, 400, "unknown_sale", "sale")
    assert (await customer.state(one))["status"] == "open"


async def test_a_fixed_amount_cannot_be_talked_down(till: Till, customer: Customer) -> None:
    one, static = await code_of_one(till), await made_code(till, amount=700)
    for code, amount in ((one, 2_599), (static, 700)):
        opened = await customer.open(code["url"])
        error_of(await customer.asked(opened, amount=1), 409, "amount_settled", "amount")
        assert (await customer.ready(opened))["amount"] == amount


@pytest.mark.parametrize(
    "token", [UNKNOWN, "p" + "0" * 42, "x" * 64, "short", "a" * 65, "%2e%2e", "a%00b" + "c" * 20, "é" * 20]
)
async def test_a_token_that_leads_nowhere_is_a_page_for_people_and_an_error_for_scripts(
    stack: GatewayStack, customer: Customer, token: str
) -> None:
    for path in (f"/q/{token}", f"/q/{token}/card"):
        page = await customer.client.get(f"{stack.url}{path}")
        assert page.status_code == 404, page.text
        assert page.headers["content-type"].startswith("text/html")
        assert "This code is not valid" in page.text
        assert token not in page.text
    state = await customer.client.get(f"{stack.url}/q/{token}/state")
    assert error_of(state, state.status_code)["code"] in {"not_found", "invalid_field"}


@pytest.mark.parametrize("sale", ["x", "A" * 42, "%00", "%ff", "%F0%9F%98%80", "a" * 5_000, "'; DROP TABLE codes; --"])
async def test_a_sale_that_is_none_is_as_good_as_no_sale(
    stack: GatewayStack, customer: Customer, page: CashierPage, sale: str
) -> None:
    again = await customer.open(f"{stack.url}/q/{page.token}?sale={sale}&back={sale}&as={sale}")
    assert again.config is not None
    assert again.sale not in {sale, None}
    assert (await customer.client.get(f"{stack.url}/q/{page.token}/state?sale={sale}")).json()["amount"] is None
    sent_back = await customer.client.post(f"{stack.url}/q/{page.token}?sale={sale}", content=b"x")
    assert sent_back.status_code == 303
    assert sent_back.headers["location"].startswith(f"/q/{page.token}?")


@pytest.mark.parametrize(
    ("limit", "calls", "method", "path"),
    [
        ("cashier_views", 600, "GET", ""),
        ("cashier_views", 600, "POST", ""),
        ("cashier_identifications", 300, "GET", "/back/wechat"),
        ("code_looks", 240, "GET", "/card"),
        ("cashier_states", 1_800, "GET", "/state"),
        ("cashier_pays", 300, "POST", "/pay"),
        ("code_looks", 240, "GET", "/code.svg"),
    ],
)
async def test_whoever_comes_too_often_is_told_when_to_come_again(
    stack: GatewayStack,
    customer: Customer,
    page: CashierPage,
    *,
    counters: redis.Redis,
    limit: str,
    calls: int,
    method: str,
    path: str,
) -> None:
    async def ask() -> httpx.Response:
        body: dict[str, int] | None = {} if path == "/pay" else None
        return await customer.client.request(method, f"{stack.url}/q/{page.token}{path}", json=body)

    await ask()
    _fill(counters, limit, calls - 1)
    assert (await ask()).status_code != 429
    refused = await ask()
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    if path in {"", "/back/wechat", "/card"}:
        assert "Too many visits" in refused.text
    else:
        error_of(refused, 429, "too_many_requests")


async def test_one_payer_begins_so_many_payments_at_a_code_and_others_go_on(
    stack: GatewayStack, till: Till, customer: Customer, counters: redis.Redis
) -> None:
    code = await made_code(till)
    await customer.ready(await customer.open(code["url"]), amount=100)
    _fill(counters, "cashier_begun_by_payer", 11)
    twelfth = await customer.open(code["url"])
    await customer.ready(twelfth, amount=100)
    error_of(await customer.asked(await customer.open(code["url"]), amount=100), 429, "too_many_requests")
    assert (await customer.pay(twelfth))["status"] == "ready", "what is begun goes on"
    async with Customer(stack, "alipay") as other:
        await other.ready(await other.open(code["url"]), amount=100)


async def test_strangers_use_up_nothing_of_what_a_shops_customers_need(
    stack: GatewayStack, till: Till, customer: Customer, counters: redis.Redis
) -> None:
    code = await made_code(till)
    page = await customer.open(code["url"])
    async with Customer(stack, "wechat") as stranger:
        for _ in range(5):
            error_of(await stranger.asked(page, amount=100), 403, "not_identified")
    counted = {key.split(":")[1].lstrip("{") for key in counters.scan_iter("rate:*")}
    assert counted <= {"cashier_views", "cashier_identifications", "cashier_pays"}, "all of the stranger's own address"
    await customer.ready(page, amount=100)
    _fill(counters, "cashier_begun_at_code", 300)
    async with Customer(stack, "alipay") as other:
        error_of(await other.asked(await other.open(code["url"]), amount=100), 429, "too_many_requests")


async def test_a_payer_who_taps_without_end_is_slowed_down(
    customer: Customer, page: CashierPage, counters: redis.Redis
) -> None:
    await customer.ready(page, amount=100)
    _fill(counters, "cashier_pays_of_payer", 19)
    assert (await customer.pay(page))["status"] == "ready"
    error_of(await customer.asked(page), 429, "too_many_requests")


async def test_the_endpoints_of_the_page_are_described_with_what_they_take_and_give(stack: GatewayStack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as anybody:
        document = (await anybody.get("/openapi.json")).json()
    schemas, found = document["components"]["schemas"], []
    for path, item in document["paths"].items():
        if not path.startswith("/q/"):
            continue
        for operation in item.values():
            assert operation["security"] == []
            assert {"404", "429", "503"} <= operation["responses"].keys(), path
            if path in CUSTOMERS_PATHS or path.endswith(".{kind}"):
                continue
            found.append(path)
            parts = [operation["responses"]["200"], *([operation["requestBody"]] if "requestBody" in operation else [])]
            for part in parts:
                name = part["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                assert schemas[name]["examples"], name
    assert sorted(found) == ["/q/{token}/give_up", "/q/{token}/pay", "/q/{token}/state"]
