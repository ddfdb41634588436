"""Bad input in fields, bodies and headers: a 4xx in the one error shape that names the place, and nothing written."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.kernel.money import AMOUNT_FEN_MAX
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_code, new_order, payment_of
from tests.support.written import written

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_INTEGERS: Final[tuple[Any, ...]] = (
    *("1", "", "１", "2599", "0x1", "NaN", True, False, 1.5, 1.0, 1e2, [], {}, [1], {"$gt": 0}),
    *(2**63, -(2**63) - 1, 10**100),
)
NO_TEXTS: Final[tuple[Any, ...]] = (5, 1.5, True, [], {}, ["x"], {"x": "y"}, 2**64)
CONTROL: Final = ("\x00", "a\x00b", "a\nb", "a\r\nSet-Cookie: x", "\x1b[31m", "a\x7fb", "\x85", "tab\there")
INJECTIONS: Final = (
    "'; DROP TABLE payments; --",
    "x' OR '1'='1",
    "]] redis.call('FLUSHALL') --",
    "${jndi:ldap://x/y}",
    "%s%n{0}",
    "true || payment.amount > 0",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\u202etxet\u202c",
    "👩‍👩‍👧",
    "cafe\u0301",
    "café",
    "../../etc/passwd",
)


def _wrong(field: str, *values: Any) -> list[tuple[str, Any]]:
    return [(field, value) for value in values]


WRONG: Final[list[tuple[str, Any]]] = [
    *_wrong("amount", 0, -1, AMOUNT_FEN_MAX + 1, 2**63 - 1, *NO_INTEGERS),
    *_wrong("expected_payable", -1, AMOUNT_FEN_MAX + 1, *NO_INTEGERS),
    *_wrong("expires_in", 29, 121, 0, -60, *NO_INTEGERS),
    *_wrong("currency", "USD", "cny", "CNY ", "", "XXX", "人民币", *NO_TEXTS),
    *_wrong("method", "Barcode", "", "barcode\n", "qr_code", "QRCODE", "主扫", *NO_TEXTS),
    *_wrong("wallet", "wechat", "alipay", "visa", "", "WeChat", "wechat\n", *NO_TEXTS, *CONTROL, *INJECTIONS),
    *_wrong("merchant_order_no", "", "x" * 33, "a b", "a.b", "номер", "a\n", "１２３", *NO_TEXTS),
    *_wrong("merchant_order_no", *CONTROL, *INJECTIONS),
    *_wrong(
        "auth_code", "", "1", "1" * 15, "1" * 25, "13456789012345678a", "１３４５６７８９０１２３４５６７８９",
        "134567890123456789\n", "fp" + "x" * 32, *NO_TEXTS, *CONTROL, *INJECTIONS,
    ),
    *_wrong("description", "", "x" * 128, *NO_TEXTS, *CONTROL),
    *_wrong("store_id", "", "x" * 33, *NO_TEXTS, *CONTROL),
    *_wrong("terminal_id", "", "x" * 33, *NO_TEXTS, *CONTROL),
    *_wrong("operator_id", "", "x" * 33, *NO_TEXTS, *CONTROL),
    *_wrong("customer", 5, "c", [], True),
    *_wrong("customer.id", "", "x" * 65, *NO_TEXTS, *CONTROL),
    *_wrong(
        "customer.ip", "", "999.1.1.1", "1.2.3", "01.2.3.4", "localhost", "1.2.3.4/8", "fe80::1%eth0", "::1%\x00",
        "0x7f000001", "2130706433", "１.1.1.1", *NO_TEXTS, *CONTROL, *INJECTIONS,
    ),
    *_wrong("customer.device_id", "", "x" * 129, *NO_TEXTS, *CONTROL),
    *_wrong("customer.location", 5, "here", [], [31.2, 121.4]),
    *_wrong("customer.location.latitude", 90.1, -91, "31.2", True, [], 10**400),
    *_wrong("customer.location.longitude", 180.5, -181, "121", False, {}),
    *_wrong("customer.card_bin", "", "12345", "123456789", "62220a", "６２２２０２", *NO_TEXTS),
    *_wrong("customer.device_rooted", "true", 1, 0, "", [], {}),
    *_wrong("coupons", "SPRING5", {}, 5, True, ["x"] * 11),
    *_wrong("coupons.0", "", "x" * 33, 5, True, [], {}, *CONTROL),
    *_wrong("replaces", "", "pay_x", "ref_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KI", *NO_TEXTS),
    *_wrong("metadata", "x", 5, [], True, {str(number): "x" for number in range(21)}),
    *_wrong("metadata.table", 5, True, [], {}, "x" * 501, *CONTROL),
    *_wrong(
        "notify_url", "", "till.example", "ftp://x.example/", "javascript:alert(1)", "http://", "https://a b",
        "https://x.example/\r\nX: y", "https://" + "x" * 255, *NO_TEXTS,
    ),
]  # fmt: skip
"""A wrong value for every field, in every way that RELIABILITY names."""

WRONG_FOR_CODES: Final[list[tuple[str, Any]]] = [
    *_wrong("auth_code", "134567890123456789", "", "x", *NO_TEXTS, *CONTROL, *INJECTIONS),
    *_wrong("wallet", "visa", "", "WeChat", "wechat ", "wechat\n", "微信", "cash", *NO_TEXTS, *CONTROL, *INJECTIONS),
    *_wrong("expires_in", 59, 30, 7_201, 0, -300, 2**31, *NO_INTEGERS),
    *_wrong("amount", 0, -1, AMOUNT_FEN_MAX + 1, 2**63 - 1, *NO_INTEGERS),
    *_wrong("notify_url", "", "till.example", "ftp://x.example/", "https://a b", *NO_TEXTS),
]
"""What is wrong, or only wrong, where the customer scans our code."""

EXACT: Final = (
    *("description", "store_id", "terminal_id", "operator_id", "customer.id", "customer.device_id"),
    *("coupons.0", "metadata.table"),
)
"""The fields that take any printable text."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def nothing_was_written_by_what_was_refused(stack: GatewayStack) -> AsyncIterator[None]:
    """Counts every row once more when all tests are over: each test counts its own, and this counts for all."""
    yield
    assert not [line for line in stack.log_of(stack.gateways[0]).splitlines() if '"level":"error"' in line]


def _set(order: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The order with that value at a path, parents made where they are missing."""
    name, _, rest = path.partition(".")
    if not rest:
        return {**order, name: value}
    if rest == "0":
        return {**order, name: [value]}
    parent = order.get(name) or ({"latitude": 1.0, "longitude": 1.0} if name == "location" else {})
    return {**order, name: _set(parent, rest, value)}


@pytest.mark.parametrize("field", sorted({field for field, _ in WRONG}))
async def test_a_wrong_value_is_refused_and_the_field_named(
    till: Till, database: asyncpg.Connection, field: str
) -> None:
    before = await written(database)
    for _, value in [case for case in WRONG if case[0] == field]:
        answer = await till.client.post(
            "/v1/payments",
            content=json.dumps(_set(new_order(), field, value)),
            headers={"Content-Type": "application/json"},
        )
        error = error_of(answer, 400)
        named = error["param"] or ""
        # A number that no JSON reader holds is a fault of the body.
        assert named == field or named.startswith(f"{field}.") or error["code"] == "invalid_json", (value, error)
        assert len(str(value)) < 6 or str(value) not in error["message"], "the value that was sent is not repeated"
    assert await written(database) == before


@pytest.mark.parametrize("field", ["merchant_order_no", "amount", "currency", "method", "auth_code"])
async def test_a_required_field_that_is_missing_or_null_is_named(
    till: Till, database: asyncpg.Connection, field: str
) -> None:
    before = await written(database)
    order = new_order()
    del order[field]
    error_of(await till.pay(order), 400, "missing_field", field)
    null_is_absent = field == "auth_code"  # a code to show has none
    code = "missing_field" if null_is_absent else "invalid_field"
    error_of(await till.pay({**order, field: None}), 400, code, field)
    assert await written(database) == before


@pytest.mark.parametrize("field", sorted({field for field, _ in WRONG_FOR_CODES}))
@pytest.mark.parametrize("wallet", ["wechat", None])
async def test_a_wrong_value_for_a_code_to_show_is_refused_and_the_field_named(
    till: Till, database: asyncpg.Connection, field: str, wallet: str | None
) -> None:
    before = await written(database)
    for _, value in [case for case in WRONG_FOR_CODES if case[0] == field]:
        answer = await till.client.post(
            "/v1/payments",
            content=json.dumps(new_code(wallet) | {field: value}),
            headers={"Content-Type": "application/json"},
        )
        error = error_of(answer, 400)
        assert error["param"] == field or error["code"] == "invalid_json", (value, error)
    assert await written(database) == before


@pytest.mark.parametrize(("method", "seconds"), [("barcode", 30), ("barcode", 120), ("qrcode", 60), ("qrcode", 7_200)])
async def test_each_method_has_its_own_bounds_of_time(till: Till, method: str, seconds: int) -> None:
    order = new_order() if method == "barcode" else new_code(None)
    payment = payment_of(await till.pay(order | {"expires_in": seconds}), 201)
    created, expires = (datetime.fromisoformat(payment[name]) for name in ("created_at", "expires_at"))
    assert (expires - created).total_seconds() == seconds


@pytest.mark.parametrize(("method", "seconds"), [("barcode", 60), ("qrcode", 300)])
async def test_a_null_field_is_the_same_as_none(till: Till, method: str, seconds: int) -> None:
    order = new_order() if method == "barcode" else new_code(None) | {"auth_code": None, "wallet": None}
    payment = payment_of(await till.pay(order | {"expires_in": None}), 201)
    created, expires = (datetime.fromisoformat(payment[name]) for name in ("created_at", "expires_at"))
    assert (expires - created).total_seconds() == seconds


@pytest.mark.parametrize("place", ["", "customer.", "customer.location."])
@pytest.mark.parametrize(
    "name", ["Amount", "amout", "__proto__", "body", "query", "a\x00b", "💥", "' OR 1=1 --", "x" * 5000, ""]
)
async def test_an_unknown_field_is_refused_by_name(
    till: Till, database: asyncpg.Connection, place: str, name: str
) -> None:
    before = await written(database)
    error = error_of(await till.pay(_set(new_order(), f"{place}{name}", 1)), 400)
    if name:
        assert error["code"] == "unknown_field"
        assert (error["param"] or "")[:40] == f"{place}{name}"[:40]
    assert len(error["message"]) < 500
    assert await written(database) == before


@pytest.mark.parametrize("name", ["", "x" * 41, "a\x00b", "line\nfeed"])
async def test_a_wrong_name_in_the_metadata_is_refused(till: Till, name: str) -> None:
    error = error_of(await till.pay(new_order(metadata={name: "x"})), 400, "invalid_field")
    assert error["param"].startswith("metadata")


@pytest.mark.parametrize("field", EXACT)
async def test_any_printable_text_is_stored_exactly_whatever_language_it_is_written_in(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, field: str
) -> None:
    for text in INJECTIONS:
        order = _set(new_order(), field, text[:32])
        payment = payment_of(await till.pay(order), 201)
        sealed = await database.fetchval("SELECT request_sealed FROM payments WHERE id = $1", payment["id"])
        kept: Any = json.loads(stack.vault.open(sealed, payment["id"].encode()))
        for name in field.split("."):
            kept = kept[0] if name == "0" else kept[name]
        assert kept == text[:32]
        assert payment_of(await till.get(payment["id"])) == payment


async def test_texts_that_only_look_the_same_are_different_requests(till: Till) -> None:
    order = new_order(description="café")
    payment_of(await till.pay(order), 201)
    error_of(await till.pay({**order, "description": "cafe\u0301"}), 409, "order_no_reused", "description")


_HEAD: Final = (
    b'{"merchant_order_no":"B-1","amount":1,"currency":"CNY","method":"barcode","auth_code":"134567890123456789"'
)

BODIES: Final = {
    "empty": (b"", "body"),
    "a blank": (b" ", "body"),
    "an array": (b"[]", "body"),
    "a text": (b'"x"', "body"),
    "a number": (b"5", "body"),
    "null": (b"null", "body"),
    "an empty object": (b"{}", None),
    "a byte order mark": (b"\xef\xbb\xbf" + _HEAD + b"}", "body"),
    "UTF-16": ('{"amount":1}'.encode("utf-16"), "body"),
    "invalid UTF-8": (_HEAD + b',"description":"\xff\xfe"}', "body"),
    "overlong UTF-8": (_HEAD + b',"description":"\xc0\xaf"}', "body"),
    "an encoded surrogate": (_HEAD + b',"description":"\xed\xa0\x80"}', "body"),
    "a lone surrogate": (_HEAD + b',"description":"\\ud800"}', "body"),
    "a lone surrogate as a name": (_HEAD + b',"\\udc00":1}', "body"),
    "NaN": (_HEAD.replace(b'"amount":1', b'"amount":NaN') + b"}", "amount"),
    "infinity": (_HEAD.replace(b'"amount":1', b'"amount":Infinity') + b"}", "amount"),
    "1e309": (_HEAD.replace(b'"amount":1', b'"amount":1e309') + b"}", "amount"),
    "minus zero": (_HEAD.replace(b'"amount":1', b'"amount":-0') + b"}", "amount"),
    "a leading zero": (_HEAD.replace(b'"amount":1', b'"amount":01') + b"}", "body"),
    "a number of 5,000 digits": (_HEAD.replace(b'"amount":1', b'"amount":' + b"9" * 5000) + b"}", None),
    "NaN as a place": (
        _HEAD + b',"customer":{"location":{"latitude":NaN,"longitude":1}}}',
        "customer.location.latitude",
    ),
    "half of it": (_HEAD, "body"),
    "more than one": (_HEAD + b"}{}", "body"),
    "single quotes": (b"{'amount':1}", "body"),
    "a comment": (_HEAD + b"/* x */}", "body"),
    "deep arrays": (_HEAD + b',"metadata":' + b"[" * 15_000 + b"]" * 15_000 + b"}", None),
    "deep objects": (_HEAD + b',"customer":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}", None),
    "4,000 names": (b"{" + b",".join(b'"%d":1' % number for number in range(3_500)) + b"}", None),
    "a form": (b"amount=1&currency=CNY", "body"),
    "XML": (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "body"),
    "NUL bytes": (b"\x00" * 100, "body"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_request_is_refused_and_writes_nothing(
    till: Till, database: asyncpg.Connection, name: str
) -> None:
    body, param = BODIES[name]
    before = await written(database)
    error = error_of(await _post(till, body), 400)
    assert error["param"], "the place is named"
    if param is not None:
        assert error["param"] == param
    assert await written(database) == before


async def test_a_name_that_stands_twice_counts_as_the_last_one_for_the_payment_and_for_its_repetition(
    till: Till,
) -> None:
    order = new_order(amount=100)
    body = json.dumps(order).encode()
    twice = body.replace(b'"amount": 100', b'"amount": 999999, "amount": 100')
    payment = payment_of(await _post(till, twice), 201)
    assert payment["amount"] == 100
    assert payment_of(await _post(till, body), 201) == payment


@pytest.mark.parametrize(
    ("body", "headers", "place"),
    [
        (b"x" * 32_769, {}, "body"),
        (b" " * 10_000_000, {}, "body"),
        (b"{" + b",".join(b'"%d":1' % number for number in range(10_000)) + b"}", {}, "body"),
        (gzip.compress(b" " * 1_000_000), {"Content-Encoding": "gzip"}, "Content-Encoding"),
        (b"{}", {"Content-Encoding": "br"}, "Content-Encoding"),
        (b"{}", {"Content-Encoding": ""}, "Content-Encoding"),
        (b"{}", {"Content-Type": "text/plain"}, "Content-Type"),
        (b"{}", {"Content-Type": "application/jsonp"}, "Content-Type"),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type"),
        (b"{}", {"Content-Type": ""}, "Content-Type"),
        (b"{}", {"Content-Type": "application/json; charset=utf-16"}, "Content-Type"),
    ],
)
async def test_a_body_of_the_wrong_size_coding_or_type_is_refused(
    till: Till, database: asyncpg.Connection, body: bytes, headers: dict[str, str], place: str
) -> None:
    before = await written(database)
    for path in ("/v1/payments", "/v1/payments/pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB/cancel", "/admin/v1/merchants"):
        try:
            answer = await till.client.post(path, content=body, headers={"Content-Type": "application/json", **headers})
        except (httpx.WriteError, httpx.ReadError):
            assert len(body) > 1 << 20, "only what is far too large may be cut off"
            continue
        error_of(answer, 413 if place == "body" else 415, param=place)
    assert await written(database) == before
    assert payment_of(await till.pay(new_order()), 201)["status"] == "succeeded"


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_under_its_usual_names_is_taken(till: Till, content_type: str) -> None:
    body = json.dumps(new_order()).encode()
    answer = await till.client.post("/v1/payments", content=body, headers={"Content-Type": content_type})
    assert payment_of(answer, 201)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", b"x" * 256),
        ("Idempotency-Key", b"a b"),
        ("Idempotency-Key", "schlüssel".encode()),
        ("Idempotency-Key", b"\xff\xfe"),
        ("Idempotency-Key", b""),
        ("Idempotency-Key", b"a\tb"),
        ("Prefer", b"wait=\xff"),
        ("Prefer", b"wait=" + b"9" * 5_000),
        ("Prefer", "wait=１".encode()),
    ],
)
async def test_a_header_that_makes_no_sense_is_refused_by_name(
    till: Till, database: asyncpg.Connection, name: str, value: bytes
) -> None:
    before = await written(database)
    answer = await till.client.post("/v1/payments", json=new_order(), headers={name.encode(): value})
    error_of(answer, 400, "invalid_header", name)
    assert await written(database) == before


@pytest.mark.parametrize("key", ["x" * 255, "'; DROP TABLE idempotency_keys; --".replace(" ", "_"), "%00", "{}[]$ref"])
async def test_any_visible_ascii_is_an_idempotency_key(till: Till, key: str) -> None:
    order = new_order()
    payment = payment_of(await till.pay(order, idempotency_key=key), 201)
    assert payment_of(await till.pay(order, idempotency_key=key), 201) == payment


async def _post(till: Till, body: bytes) -> httpx.Response:
    return await till.client.post("/v1/payments", content=body, headers={"Content-Type": "application/json"})
