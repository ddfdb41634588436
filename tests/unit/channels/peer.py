"""A real TCP peer for the transport's tests: scripted, and it counts the requests that reached it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Script = Callable[["Visit"], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Visit:
    """One connection as the peer sees it."""

    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peer = peer
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """The next whole request."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next((line[16:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")), b"0")
        whole = head + await self._reader.readexactly(int(length))
        self._peer.requests.append(whole)
        await self._peer.tell()
        return whole

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def hang_up(self) -> None:
        self._writer.close()

    async def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def until_client_leaves(self) -> bytes:
        """Everything else that the client sends until it closes."""
        try:
            return await self._reader.read()
        except ConnectionError:
            return b""


class Peer:
    """The listening side."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.left = 0
        self._changed = asyncio.Condition()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._script(Visit(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.left += 1
            await self.tell()

    async def tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that a request or a connection's end brings about."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(holds)


@asynccontextmanager
async def listening(script: Script) -> AsyncIterator[Peer]:
    """A peer on a free port of this machine."""
    peer = Peer(script)
    server = await asyncio.start_server(peer.visit, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()


async def answers_ok(visit: Visit) -> None:
    """Answer every request on the connection."""
    while True:
        await visit.request()
        await visit.send(OK)


async def never_answers(visit: Visit) -> None:
    """Take one request and keep silent until the client gives up."""
    await visit.request()
    await visit.until_client_leaves()
