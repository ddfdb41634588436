"""A proxy between us and a server (unix socket or TCP) that loses answers, resets and freezes on command.

async with Proxy.before(upstream, listening) as proxy:
    proxy.lose_answer(b"SELECT 2")      # that answer reaches the proxy, but its connection is reset instead
    proxy.mode = Mode.DROP_ANSWERS      # requests arrive and are carried out; nobody hears of it
    proxy.mode = Mode.FREEZE            # nothing moves; connections stay open
    proxy.reset_connections()           # what is open now breaks
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

Address: TypeAlias = Path | tuple[str, int]
_CHUNK_BYTES: Final = 64 * 1024
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What happens to the bytes; a change is felt by open connections too."""

    PASS = "pass"
    DROP_ANSWERS = "drop_answers"
    RESET_AFTER_REQUEST = "reset_after_request"
    """The next bytes of a client are forwarded, and its connection is reset at once."""
    FREEZE = "freeze"


@dataclass(slots=True, eq=False)
class Proxy:
    """One listening address in front of one server."""

    upstream: Address
    mode: Mode = Mode.PASS
    answers_lost: int = 0
    held: int = 0
    """Pieces that a freeze holds back."""
    _needle: bytes | None = None
    _thawed: asyncio.Event = field(default_factory=asyncio.Event)
    _links: set[_Link] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def before(cls, upstream: Address, listening: Address) -> AsyncIterator[Proxy]:
        """Listen until the block ends."""
        proxy = cls(upstream)
        if isinstance(listening, Path):
            server = await asyncio.start_unix_server(proxy._accept, listening)
        else:
            server = await asyncio.start_server(proxy._accept, *listening)
        try:
            yield proxy
        finally:
            server.close()
            proxy.reset_connections()
            await asyncio.gather(*[link.ended.wait() for link in proxy._links])

    def lose_answer(self, needle: bytes) -> None:
        """Reset the connection on which an answer containing these bytes comes next, instead of passing it on."""
        self._needle = needle

    def reset_connections(self) -> None:
        """Break every open connection."""
        for link in list(self._links):
            link.reset()

    def thaw(self) -> None:
        """Pass everything from now on, what was frozen included."""
        self.mode = Mode.PASS
        self._thawed.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
            link.ended.set()

    async def _until_thawed(self) -> None:
        self.held += 1
        try:
            while self.mode is Mode.FREEZE:
                self._thawed.clear()
                await self._thawed.wait()
        finally:
            self.held -= 1

    def _loses(self, answer: bytes) -> bool:
        if self._needle is None or self._needle not in answer:
            return False
        self._needle = None
        self.answers_lost += 1
        return True


@dataclass(slots=True, eq=False)
class _Link:
    """One client's connection and ours to the server."""

    proxy: Proxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        upstream = self.proxy.upstream
        server_writer: asyncio.StreamWriter | None = None
        try:
            if isinstance(upstream, Path):
                server_reader, server_writer = await asyncio.open_unix_connection(upstream)
            else:
                server_reader, server_writer = await asyncio.open_connection(*upstream)
            self.tasks = [
                asyncio.create_task(self._requests(server_writer)),
                asyncio.create_task(self._answers(server_reader)),
            ]
            await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the server is away: the client sees its connection close
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            for writer in filter(None, (self.writer, server_writer)):
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            with suppress(OSError):  # the client has gone already
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self.writer.transport.abort()
        for task in self.tasks:
            task.cancel()

    async def _requests(self, server: asyncio.StreamWriter) -> None:
        while data := await self.reader.read(_CHUNK_BYTES):
            await self.proxy._until_thawed()
            server.write(data)
            await server.drain()
            if self.proxy.mode is Mode.RESET_AFTER_REQUEST:
                self.reset()
                return

    async def _answers(self, server: asyncio.StreamReader) -> None:
        while data := await server.read(_CHUNK_BYTES):
            await self.proxy._until_thawed()
            if self.proxy._loses(data):
                self.reset()
                return
            if self.proxy.mode is not Mode.DROP_ANSWERS:
                self.writer.write(data)
                await self.writer.drain()
