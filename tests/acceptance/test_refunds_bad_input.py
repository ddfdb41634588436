"""Bad input to the refund API: a 4xx in the one error shape that names the place, and nothing written."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.kernel.money import AMOUNT_FEN_MAX
from tests.support.gateway import GatewayStack
from tests.support.refunds import ask, get, listed, new_refund, refund_of, settled
from tests.support.till import Till, error_of
from tests.support.written import written

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_INTEGERS: Final[tuple[Any, ...]] = (
    *("1", "", "１", "0x1", "NaN", True, False, 1.5, 1.0, 1e2, [], {}, [1], {"$gt": 0}),
    *(2**63, -(2**63) - 1, 10**100),
)
NO_TEXTS: Final[tuple[Any, ...]] = (5, 1.5, True, [], {}, ["x"], {"x": "y"}, 2**64)
CONTROL: Final = ("\x00", "a\x00b", "a\nb", "a\r\nSet-Cookie: x", "\x1b[31m", "a\x7fb", "\x85", "tab\there")
TEXTS: Final = (
    "'; DROP TABLE refunds; --",
    "]] redis.call('FLUSHALL') --",
    "${jndi:ldap://x/y}",
    "%s%n{0}",
    "<script>alert(1)</script>",
    "\u202etxet\u202c",
    "👩‍👩‍👧",
    "cafe\u0301",
    "café",
    "退款：所购商品已退回",
)
WRONG: Final[dict[str, tuple[Any, ...]]] = {
    "payment_id": (
        "",
        "pay_x",
        "ref_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
        "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KI",
        *NO_TEXTS,
        *CONTROL,
    ),
    "amount": (0, -1, AMOUNT_FEN_MAX + 1, 2**63 - 1, *NO_INTEGERS),
    "merchant_refund_no": ("", "x" * 33, "a b", "a.b", "номер", "a\n", "１２３", *NO_TEXTS, *CONTROL, *TEXTS),
    "reason": ("", "x" * 128, *NO_TEXTS, *CONTROL),
    "store_id": ("", "x" * 33, *NO_TEXTS, *CONTROL),
    "terminal_id": ("", "x" * 33, *NO_TEXTS, *CONTROL),
    "operator_id": ("", "x" * 33, *NO_TEXTS, *CONTROL),
    "metadata": (
        "x",
        5,
        [],
        True,
        {str(number): "x" for number in range(21)},
        {"": "x"},
        {"x" * 41: "x"},
        {"a\n": "x"},
    ),
    "metadata.table": (5, True, [], {}, "x" * 501, *CONTROL),
}
"""A wrong value for every field, in every way that RELIABILITY names."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def payment(stack: GatewayStack, till: Till) -> AsyncIterator[dict[str, Any]]:
    """A paid one, of which nothing goes back; at the end no request has been an error of ours."""
    yield await till.paid("unionpay")
    assert not [line for line in stack.log_of(stack.gateways[0]).splitlines() if '"level":"error"' in line]


def _set(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return {**request, name: {rest: value} if rest else value}


async def post(till: Till, body: bytes, **headers: str) -> httpx.Response:
    sent = {"Content-Type": "application/json", **headers}
    return await till.client.post("/v1/refunds", content=body, headers=sent)


@pytest.mark.parametrize("field", WRONG)
async def test_a_wrong_value_is_refused_and_the_field_named(
    till: Till, database: asyncpg.Connection, payment: dict[str, Any], field: str
) -> None:
    before = await written(database)
    for value in WRONG[field]:
        error = error_of(await post(till, json.dumps(_set(new_refund(payment, 1), field, value)).encode()), 400)
        named = error["param"] or ""
        assert named == field or named.startswith(f"{field}.") or error["code"] == "invalid_json", (value, error)
        assert len(str(value)) < 6 or str(value) not in error["message"], "the value that was sent is not repeated"
    assert await written(database) == before


@pytest.mark.parametrize("field", ["payment_id", "amount", "merchant_refund_no"])
async def test_a_required_field_that_is_missing_or_null_is_named(
    till: Till, payment: dict[str, Any], field: str
) -> None:
    request = new_refund(payment, 1)
    del request[field]
    error_of(await ask(till, request), 400, "missing_field", field)
    error_of(await ask(till, {**request, field: None}), 400, "invalid_field", field)


@pytest.mark.parametrize(
    "name", ["Amount", "amout", "currency", "__proto__", "body", "a\x00b", "💥", "' OR 1=1 --", "x" * 5000]
)
async def test_an_unknown_field_is_refused_by_name(till: Till, payment: dict[str, Any], name: str) -> None:
    error = error_of(await ask(till, {**new_refund(payment, 1), name: 1}), 400, "unknown_field")
    assert error["param"][:40] == name[:40]
    assert len(error["message"]) < 500


@pytest.mark.parametrize("field", ["reason", "store_id", "operator_id", "metadata.table"])
async def test_any_printable_text_is_stored_exactly_whatever_language_it_is_written_in(till: Till, field: str) -> None:
    payment = await till.paid("unionpay")
    requests = [_set(new_refund(payment, 1), field, text[:32]) for text in TEXTS]
    answers = await asyncio.gather(*[ask(till, request, wait_s=0) for request in requests])
    for text, answer in zip(TEXTS, answers, strict=True):
        kept: Any = await settled(till, refund_of(answer, 201)["id"])
        for name in field.split("."):
            kept = kept[name]
        assert kept == text[:32]


BODIES: Final = {
    "empty": b"",
    "an array": b"[]",
    "null": b"null",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"amount":1}'.encode("utf-16"),
    "invalid UTF-8": b'{"reason":"\xff\xfe"}',
    "a lone surrogate": b'{"reason":"\\ud800"}',
    "NaN": b'{"amount":NaN}',
    "1e309": b'{"amount":1e309}',
    "a leading zero": b'{"amount":01}',
    "a number of 5,000 digits": b'{"amount":' + b"9" * 5000 + b"}",
    "half of it": b'{"amount":1',
    "more than one": b"{}{}",
    "deep arrays": b'{"metadata":' + b"[" * 15_000 + b"]" * 15_000 + b"}",
    "3,500 names": b"{" + b",".join(b'"%d":1' % number for number in range(3_500)) + b"}",
    "a form": b"amount=1",
    "NUL bytes": b"\x00" * 100,
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_request_is_refused_and_writes_nothing(
    till: Till, database: asyncpg.Connection, payment: dict[str, Any], name: str
) -> None:
    assert payment
    before = await written(database)
    assert error_of(await post(till, BODIES[name]), 400)["param"], "the place is named"
    assert await written(database) == before


@pytest.mark.parametrize(
    ("body", "headers", "status", "place"),
    [
        (b"x" * 32_769, {}, 413, "body"),
        (gzip.compress(b" " * 1_000_000), {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "Content-Type"),
        (b"{}", {"Content-Type": "application/json; charset=utf-16"}, 415, "Content-Type"),
    ],
)
async def test_a_body_of_the_wrong_size_coding_or_type_is_refused(
    till: Till, body: bytes, headers: dict[str, str], status: int, place: str
) -> None:
    error_of(await post(till, body, **headers), status, param=place)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", b"x" * 256),
        ("Idempotency-Key", b"a b"),
        ("Idempotency-Key", "schlüssel".encode()),
        ("Idempotency-Key", b""),
        ("Prefer", b"wait=\xff"),
        ("Prefer", b"wait=" + b"9" * 5_000),
        ("Prefer", b"wait=-1"),
    ],
)
async def test_a_header_that_makes_no_sense_is_refused_by_name(
    till: Till, database: asyncpg.Connection, payment: dict[str, Any], name: str, value: bytes
) -> None:
    before = await written(database)
    answer = await till.client.post("/v1/refunds", json=new_refund(payment, 1), headers={name.encode(): value})
    error_of(answer, 400, "invalid_header", name)
    assert await written(database) == before


@pytest.mark.parametrize(
    "refund_id",
    ["x", "ref_x", "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "ref_01JD5ZV8W3M0Q9C6R1T2X4Y7KI", "%00", "..%2f", "💥"],
)
async def test_what_is_no_id_of_a_refund_is_refused(till: Till, refund_id: str) -> None:
    answer = await get(till, refund_id)
    assert answer.status_code in {400, 404}
    error_of(answer, answer.status_code)


@pytest.mark.parametrize(
    ("filters", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"status": "reversed"}, "status"),
        ({"payment_id": "pay_x"}, "payment_id"),
        ({"merchant_refund_no": "a b"}, "merchant_refund_no"),
        ({"created_from": "yesterday"}, "created_from"),
        ({"created_to": "2026-11-22T00:00:00"}, "created_to"),
        ({"created_from": "9999-12-31T23:59:59Z"}, "created_from"),
        ({"starting_after": "x"}, "starting_after"),
        ({"payment": "x"}, "payment"),
        ({"\x00": "x"}, None),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused_by_name(
    till: Till, filters: dict[str, Any], param: str | None
) -> None:
    error = error_of(await listed(till, **filters), 400)
    assert param is None or error["param"] == param


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/refunds", "/v1/refunds/ref_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"])
async def test_refunds_are_made_and_read_and_nothing_else(till: Till, method: str, path: str) -> None:
    error_of(await till.client.request(method, path, json={}), 405, "method_not_allowed")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer sk_test_unknown", "Basic c2s6"])
async def test_whoever_shows_no_valid_key_is_refused_before_anything_is_read(
    stack: GatewayStack, database: asyncpg.Connection, payment: dict[str, Any], authorization: str | None
) -> None:
    before = await written(database)
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False, timeout=10) as client:
        error_of(await client.post("/v1/refunds", json=new_refund(payment, 1), headers=headers), 401)
        error_of(await client.get("/v1/refunds", headers=headers), 401)
    assert await written(database) == before
