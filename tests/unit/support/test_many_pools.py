"""A crowd of requests by many small pools: all are answered, for much less than by one large pool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from tests.support.many_pools import ManyPools

_CROWD: Final = 100
_ROUNDS: Final = 2
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ANSWERS_AFTER_S: Final = 0.05


class _Server(asyncio.Protocol):
    """Answers every request a little later, and never closes a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        del data
        asyncio.get_running_loop().call_later(_ANSWERS_AFTER_S, self._transport.write, _ANSWER)


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0, backlog=_CROWD)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def _cpu_s_of_a_crowd(url: str, transport: httpx.AsyncBaseTransport) -> float:
    """Seconds of this process, its server included."""
    async with httpx.AsyncClient(transport=transport, timeout=60) as client:

        async def till() -> None:
            for _ in range(_ROUNDS):
                assert (await client.post(url, json={})).status_code == 200

        began = time.process_time()
        await asyncio.gather(*[till() for _ in range(_CROWD)])
        return time.process_time() - began


async def test_a_crowd_is_answered_for_less_than_half_of_what_one_pool_costs() -> None:
    async with _served() as url:
        one = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=_CROWD, max_keepalive_connections=_CROWD))
        in_one_pool_s = await _cpu_s_of_a_crowd(url, one)
        in_many_s = await _cpu_s_of_a_crowd(url, ManyPools(keep_alive=True))
    assert in_many_s < in_one_pool_s / 2
