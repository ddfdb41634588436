"""Whole bodies and whole answers: over the server's own protocol, with a transport that keeps what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.http.protocol import OneWriteProtocol
from gateway.http.whole import body_here, send_whole

HEADERS = ((b"content-type", b"application/json"), (b"request-id", b"req_1"))
REQUEST = b"POST /v1/payments HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
ANSWER = b"content-type: application/json\r\nrequest-id: req_1\r\ncontent-length: 2\r\n"


class Kept(asyncio.Transport):
    """A connection whose peer never reads: each write is kept by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def resume_reading(self) -> None: ...


async def talk(app: Callable[[Scope, Receive, Send], Awaitable[None]], *pieces: bytes) -> Kept:
    """What is written in answer to a request that comes in these pieces."""
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    protocol, transport = OneWriteProtocol(config, state, {}), Kept()
    protocol.connection_made(transport)
    for piece in pieces:
        protocol.data_received(piece)
        for _ in range(5):
            await asyncio.sleep(0)
    await asyncio.gather(*state.tasks)
    protocol.connection_lost(None)
    return transport


async def answering(_scope: Scope, _receive: Receive, send: Send) -> None:
    assert send_whole(send, 201, HEADERS, b"{}")


async def test_head_and_body_leave_in_one_write_and_the_connection_is_kept() -> None:
    kept = await talk(answering, REQUEST, REQUEST)
    assert kept.written == [b"HTTP/1.1 201 Created\r\n" + ANSWER + b"\r\n{}"] * 2


async def test_a_client_that_keeps_no_connections_is_told_so_and_hung_up_on() -> None:
    kept = await talk(answering, REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert kept.written == [b"HTTP/1.1 201 Created\r\n" + ANSWER + b"connection: close\r\n\r\n{}"]
    assert kept.closed


async def test_the_headers_that_every_answer_has_come_first() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        cast("Any", send).__self__.default_headers = [(b"date", b"today")]
        assert send_whole(send, 200, (), b"")

    kept = await talk(app, REQUEST)
    assert kept.written == [b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 0\r\n\r\n"]


@pytest.mark.parametrize("reason", ["wrapped", "begun", "paused", "head"])
async def test_what_has_to_wait_or_be_seen_by_another_layer_is_left_to_asgi(reason: str) -> None:
    told: list[bool] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        async def wrapping(message: Message) -> None:
            await send(message)

        if reason == "begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if reason == "paused":
            cast("Any", send).__self__.flow.pause_writing()
        told.append(send_whole(wrapping if reason == "wrapped" else send, 200, (), b""))
        cast("Any", send).__self__.flow.resume_writing()

    await talk(app, REQUEST if reason != "head" else b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert told == [False]


async def test_nothing_is_written_to_a_client_that_has_gone() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        cast("Any", send).__self__.disconnected = True
        assert send_whole(send, 200, (), b"")

    assert (await talk(app, REQUEST)).written == []


async def test_a_body_that_has_come_whole_is_taken_at_once() -> None:
    told: list[object] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        told.append(body_here(receive))
        # Were it still set, a later `receive` would bring a body again.
        told.append(cast("Any", receive).__self__.message_event.is_set())
        send_whole(send, 200, (), b"")

    await talk(app, REQUEST)
    assert told == [b"{}", False]


@pytest.mark.parametrize("reason", ["to come", "to be asked for"])
async def test_a_body_that_is_not_here_is_waited_for(reason: str) -> None:
    told: list[object] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        told.append(body_here(receive))
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        told.append(body)
        send_whole(send, 200, (), b"")

    pieces = (REQUEST[:-1], REQUEST[-1:])
    await talk(app, *(pieces if reason == "to come" else [REQUEST.replace(b"host:", b"expect: 100-continue\r\nhost:")]))
    assert told == [None, b"{}"]
