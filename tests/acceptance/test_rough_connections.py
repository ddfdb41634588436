"""Connections that are slow, broken, endless or idle: each ends within bounds, and the others are not held up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
import psutil
import pytest

from gateway.http.heads import HEAD_S_MAX
from tests.support.gateway import GatewayStack
from tests.support.till import Till, new_order, payment_of
from tests.support.written import written

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ_TIMEOUT_S: Final = 1.0
CONNECTIONS: Final = 200


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """A gateway that waits a second for a body."""
    return {"settings": {"MASHANG_REQUEST_READ_TIMEOUT_S": str(READ_TIMEOUT_S)}}


@asynccontextmanager
async def _connected(stack: GatewayStack) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(stack.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, timeout_s: float = 5.0) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer."""
    async with asyncio.timeout(timeout_s):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(head[0].split()[1]), headers, body


def _assert_error(answer: tuple[int, dict[str, str], bytes], status: int, code: str) -> None:
    found, headers, body = answer
    error = json.loads(body)["error"]
    assert (found, error["code"], error["type"]) == (status, code, "invalid_request")
    assert error["request_id"] == headers["request-id"]
    assert headers["connection"] == "close"


def _head(stack: GatewayStack, *lines: str, path: str = "/v1/payments") -> bytes:
    standard = (
        f"POST {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {stack.shop.key.secret}",
        "Content-Type: application/json", *lines,
    )  # fmt: skip
    return "\r\n".join([*standard, "", ""]).encode()


async def _closed(reader: asyncio.StreamReader, timeout_s: float = 3.0) -> bool:
    async with asyncio.timeout(timeout_s):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


@pytest.mark.parametrize("begun", [b"", b'{"amo'])
async def test_a_body_that_does_not_come_is_given_up_and_the_connection_closed(
    stack: GatewayStack, database: asyncpg.Connection, begun: bytes
) -> None:
    before = await written(database)
    began = time.monotonic()
    async with _connected(stack) as (reader, writer):
        writer.write(_head(stack, "Content-Length: 100") + begun)
        _assert_error(await _answer(reader), 408, "request_timeout")
        assert await _closed(reader)
    assert READ_TIMEOUT_S - 0.1 < time.monotonic() - began < READ_TIMEOUT_S + 2
    assert await written(database) == before


async def test_a_body_that_comes_byte_by_byte_is_given_up_too(stack: GatewayStack) -> None:
    async with _connected(stack) as (reader, writer):
        writer.write(_head(stack, "Content-Length: 1000"))
        answering = asyncio.create_task(_answer(reader))
        began = time.monotonic()
        while not answering.done() and time.monotonic() - began < READ_TIMEOUT_S + 2:
            writer.write(b" ")
            await asyncio.sleep(0.05)
        _assert_error(await answering, 408, "request_timeout")


@pytest.mark.parametrize("length", ["101", "32768"])
async def test_a_body_that_breaks_off_is_no_request(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, length: str
) -> None:
    before = await written(database)
    order = new_order()
    async with _connected(stack) as (_, writer):
        writer.write(_head(stack, f"Content-Length: {length}") + json.dumps(order).encode()[:100])
        await writer.drain()
    payment = await till.taken("alipay", "9001")
    after = await written(database)
    assert after["payments"] == before["payments"] + 1, payment
    assert (await till.list(merchant_order_no=order["merchant_order_no"])).json()["data"] == []


async def test_a_cancel_whose_body_breaks_off_cancels_nothing(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid()
    async with _connected(stack) as (_, writer):
        writer.write(_head(stack, "Content-Length: 10", path=f"/v1/payments/{payment['id']}/cancel"))
        await writer.drain()
    await till.paid()
    assert payment_of(await till.get(payment["id"])) == payment


async def test_a_body_in_chunks_without_end_is_refused_and_costs_no_memory(stack: GatewayStack) -> None:
    process = psutil.Process(stack.gateways[0].pid)
    before = process.memory_info().rss
    async with _connected(stack) as (reader, writer):
        writer.write(_head(stack, "Transfer-Encoding: chunked"))
        answering = asyncio.create_task(_answer(reader, 10))
        sent = 0
        try:
            while not answering.done() and sent < 1 << 28:
                writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
                await writer.drain()
                sent += 65_536
        except ConnectionError:
            pass
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # a reset may overtake the answer
            _assert_error(await answering, 413, "body_too_large")
    assert sent < 1 << 28, "the connection is cut"
    assert process.memory_info().rss - before < 32 << 20


@pytest.mark.parametrize("piece", [b"a" * 65_536, b"x: y\r\n" * 10_000])
async def test_a_head_without_end_is_refused_and_costs_no_memory(stack: GatewayStack, piece: bytes) -> None:
    process = psutil.Process(stack.gateways[0].pid)
    before = process.memory_info().rss
    sent = 0
    async with _connected(stack) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Big: ")
        try:
            while sent < 1 << 28:
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
            pytest.fail("256 MB of a head were taken")
        except ConnectionError:
            pass
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # a reset may overtake the answer
            _assert_error(await _answer(reader), 431, "invalid_request")
    assert process.memory_info().rss - before < 32 << 20


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"BREW /v1/payments HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"{}\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_the_error_shape(stack: GatewayStack, request_bytes: bytes) -> None:
    async with _connected(stack) as (reader, writer):
        writer.write(request_bytes)
        _assert_error(await _answer(reader), 400, "invalid_request")
        assert await _closed(reader)


async def test_a_length_that_is_too_short_is_taken_at_its_word(
    stack: GatewayStack, database: asyncpg.Connection
) -> None:
    before = await written(database)
    body = json.dumps(new_order()).encode()
    async with _connected(stack) as (reader, writer):
        writer.write(_head(stack, f"Content-Length: {len(body) - 10}") + body)
        status, _, answer = await _answer(reader)
        assert (status, json.loads(answer)["error"]["type"]) == (400, "invalid_request")
        assert await _closed(reader), "the rest is no request"
    assert await written(database) == before


@pytest.mark.parametrize("rest", [b"garbage\r\n\r\n", b"GET /" + b"x" * 200_000])
async def test_a_payment_followed_by_garbage_gets_its_own_answer_and_then_the_end(
    stack: GatewayStack, rest: bytes
) -> None:
    stack.simulators.set_faults("wechat", latency_ms={"mean": 200})
    try:
        order = new_order()
        body = json.dumps(order).encode()
        async with _connected(stack) as (reader, writer):
            writer.write(_head(stack, f"Content-Length: {len(body)}") + body + rest)
            status, _, answer = await _answer(reader)
            assert (status, json.loads(answer)["merchant_order_no"]) == (201, order["merchant_order_no"])
            assert await _closed(reader)
    finally:
        stack.simulators.clear_faults()


async def test_the_length_is_judged_before_the_body_is_sent(stack: GatewayStack) -> None:
    async with _connected(stack) as (reader, writer):
        writer.write(_head(stack, "Content-Length: 99999999999", "Expect: 100-continue"))
        _assert_error(await _answer(reader), 413, "body_too_large")
        assert await _closed(reader)


async def test_a_till_that_goes_away_is_charged_once_and_finds_its_payment(stack: GatewayStack, till: Till) -> None:
    stack.simulators.set_faults("wechat", latency_ms={"mean": 300})
    try:
        order = new_order()
        body = json.dumps(order).encode()
        async with _connected(stack) as (_, writer):
            writer.write(_head(stack, f"Content-Length: {len(body)}") + body)
            await writer.drain()
            payment_id = await till.id_of(order["merchant_order_no"])
        payment = await till.settled(payment_id)
    finally:
        stack.simulators.clear_faults()
    assert payment["status"] == "succeeded"
    assert payment_of(await till.pay(order), 201) == payment
    assert stack.simulators.trade_of(payment)["status"] == "captured"


async def test_several_requests_on_one_connection_without_waiting_are_answered_in_order(stack: GatewayStack) -> None:
    orders = [new_order() for _ in range(5)]
    async with _connected(stack) as (reader, writer):
        for order in orders:
            body = json.dumps(order).encode()
            writer.write(_head(stack, f"Content-Length: {len(body)}") + body)
        for order in orders:
            status, _, answer = await _answer(reader, 10)
            assert (status, json.loads(answer)["merchant_order_no"]) == (201, order["merchant_order_no"])


async def test_clients_that_do_not_read_their_answers_hold_up_nobody(stack: GatewayStack, till: Till) -> None:
    for _ in range(30):
        await till.taken(metadata={str(number): "x" * 500 for number in range(15)})
    process = psutil.Process(stack.gateways[0].pid)
    before = process.memory_info().rss
    request = _head(stack, path="/v1/payments?limit=100").replace(b"POST", b"GET")
    async with AsyncExitStack() as open_ones:
        for _ in range(20):
            _, writer = await open_ones.enter_async_context(_connected(stack))
            writer.write(request * 20)
        await _assert_payments_are_quick(till)
        assert process.memory_info().rss - before < 128 << 20


@pytest.mark.slow
async def test_half_open_connections_hold_up_nobody_and_are_closed(stack: GatewayStack, till: Till) -> None:
    beginnings = (b"", b"P", b"POST /v1/payments HTTP/1.1\r\nHost", b"\r\n\r\n")
    async with AsyncExitStack() as open_ones:
        readers = []
        for number in range(CONNECTIONS):
            reader, writer = await open_ones.enter_async_context(_connected(stack))
            writer.write(beginnings[number % len(beginnings)])
            readers.append(reader)
        began = time.monotonic()
        await _assert_payments_are_quick(till)
        async with asyncio.timeout(HEAD_S_MAX + 5 - (time.monotonic() - began)):
            await asyncio.gather(*[reader.read() for reader in readers])


@pytest.mark.slow
async def test_a_second_request_that_never_ends_is_given_up(stack: GatewayStack) -> None:
    async with _connected(stack) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await _answer(reader))[0] == 200
        writer.write(b"GET /livez HT")
        _assert_error(await _answer(reader, HEAD_S_MAX + 5), 408, "request_timeout")
        assert await _closed(reader)


async def _assert_payments_are_quick(till: Till) -> None:
    """Others' payments go on; the bound is wide for a machine that is shared, and far below any time-out."""
    for _ in range(10):
        began = time.monotonic()
        await till.paid()
        assert time.monotonic() - began < 1.5
