"""An idle connection is closed after its time, and none that is at work or has just begun to speak."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.http.protocol import OneWriteProtocol
from gateway.http.whole import send_whole
from tests.support.waiting import until
from tests.unit.http.test_whole import REQUEST, Kept

IDLE_S = 0.2


class Client:
    """A connection to a server that answers when it may; `closed` is set when the server hangs up."""

    def __init__(self) -> None:
        config = uvicorn.Config(self.answer, interface="asgi3", ws="none", lifespan="off", log_config=None)
        config.load()
        self.may_answer, self.closed = asyncio.Event(), asyncio.Event()
        self.transport = Kept()
        self.transport.close = self.closed.set  # type: ignore[method-assign]
        self.protocol = OneWriteProtocol(config, ServerState(), {})
        self.protocol.timeout_keep_alive = IDLE_S  # type: ignore[assignment]  # whole seconds, by uvicorn's annotation
        self.protocol.connection_made(self.transport)

    async def answer(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.may_answer.wait()
        send_whole(send, 200, (), b"")

    async def answered(self, times: int) -> None:
        await until(lambda: len(self.transport.written) >= times)


async def past_the_time() -> None:
    """Until a timer that was set later than the idle connection's has gone off."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(2 * IDLE_S, done.set)
    await done.wait()


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    client = Client()
    client.may_answer.set()
    client.protocol.data_received(REQUEST)
    await client.answered(1)
    assert not client.closed.is_set()
    async with asyncio.timeout(10):
        await client.closed.wait()


@pytest.mark.parametrize("rest", [b"\r\n", b"\r\n\r\n\r\n", b"{", b"{}"])
async def test_what_begins_no_request_does_not_keep_a_connection(rest: bytes) -> None:
    client = Client()
    client.may_answer.set()
    client.protocol.data_received(REQUEST if rest.isspace() else REQUEST.removesuffix(b"{}"))
    await client.answered(1)
    client.protocol.data_received(rest)
    async with asyncio.timeout(10):
        await client.closed.wait()


async def test_a_connection_at_work_is_left_open_and_closed_after_its_answer() -> None:
    client = Client()
    client.may_answer.set()
    client.protocol.data_received(REQUEST)
    await client.answered(1)
    client.may_answer.clear()
    client.protocol.data_received(REQUEST)
    await past_the_time()
    assert not client.closed.is_set()
    client.may_answer.set()
    await client.answered(2)
    async with asyncio.timeout(10):
        await client.closed.wait()


async def test_a_connection_on_which_a_head_has_begun_is_not_idle() -> None:
    client = Client()
    client.may_answer.set()
    client.protocol.data_received(REQUEST)
    await client.answered(1)
    client.protocol.data_received(REQUEST[:10])
    await past_the_time()
    assert not client.closed.is_set()
    client.protocol.connection_lost(None)
