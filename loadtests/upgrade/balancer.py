"""A till behind a proxy that honours readiness: one request, one answer, and nothing is ever sent again.

It asks each gateway's /readyz ten times a second, sends to those that are ready in turn, and keeps connections until an
answer says `Connection: close`.  Whatever goes wrong is told as it is: what a proxy would hide is what is looked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

PROBE_S: Final = 0.1
_PROBE_TIMEOUT_S: Final = 2.0
_ANSWER_S: Final = 30.0
_HOST: Final = "127.0.0.1"


class Reply(NamedTuple):
    """An answer; status 0 where none came, and `body` says why."""

    status: int
    body: bytes


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_usable(self) -> bool:
        return not (self.reader.at_eof() or self.writer.is_closing())


@dataclass(slots=True)
class Backend:
    """One gateway process; `is_withdrawn` once the operator has taken it out of the balancer."""

    name: str
    port: int
    is_ready: bool = False
    is_withdrawn: bool = False
    _idle: list[_Connection] = field(default_factory=list)

    @property
    def takes(self) -> bool:
        """Whether requests are sent there."""
        return self.is_ready and not self.is_withdrawn

    async def ask(self, head: bytes, body: bytes = b"") -> Reply:
        """One request over a connection that is free, or over a new one; status 0 where the connection broke."""
        connection: _Connection | None = None
        try:
            connection = self._take() or _Connection(*await asyncio.open_connection(_HOST, self.port))
            async with asyncio.timeout(_ANSWER_S):
                reply, is_kept = await _exchange(connection, head, body)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            if connection is not None:
                connection.writer.close()
            return Reply(0, f"{self.name}: {type(error).__name__} {error}".encode())
        if is_kept and not self.is_withdrawn:
            self._idle.append(connection)
        else:
            connection.writer.close()
        return reply

    async def probe(self) -> None:
        """Look whether it is ready, over a connection of its own."""
        head = b"GET /readyz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n"
        self.is_ready = await _probed(self.port, head) == 200

    def withdraw(self) -> None:
        """Send nothing there any more, as a cluster does before it stops a pod."""
        self.is_withdrawn = True
        while self._idle:
            self._idle.pop().writer.close()

    def _take(self) -> _Connection | None:
        while self._idle:
            if (connection := self._idle.pop()).is_usable:
                return connection
            connection.writer.close()
        return None


class Balancer:
    """Sends to its backends in turn."""

    def __init__(self) -> None:
        self.backends: list[Backend] = []
        self._turn = 0

    def add(self, backend: Backend) -> Backend:
        """From its first readiness on it has its share."""
        self.backends.append(backend)
        return backend

    def remove(self, name: str) -> None:
        """Forget the one that is gone."""
        for backend in self.backends:
            if backend.name == name:
                backend.withdraw()
        self.backends = [backend for backend in self.backends if backend.name != name]

    async def send(self, head: bytes, body: bytes) -> Reply:
        """To the next one that is ready; status 0 where none is."""
        ready: Sequence[Backend] = [backend for backend in self.backends if backend.takes]
        if not ready:
            return Reply(0, b"no gateway is ready")
        self._turn += 1
        return await ready[self._turn % len(ready)].ask(head, body)

    @asynccontextmanager
    async def probing(self) -> AsyncIterator[None]:
        """Look at each of them, those that are added too, while this is open."""
        task = asyncio.create_task(self._probe())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            for backend in self.backends:
                backend.withdraw()

    async def _probe(self) -> None:
        """None waits for the probe of another."""
        under_way: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                for backend in self.backends:
                    if (task := under_way.get(backend.name)) is None or task.done():
                        under_way[backend.name] = asyncio.create_task(backend.probe())
                await asyncio.sleep(PROBE_S)
        finally:
            for task in under_way.values():
                task.cancel()
            await asyncio.gather(*under_way.values(), return_exceptions=True)


async def _exchange(connection: _Connection, head: bytes, body: bytes) -> tuple[Reply, bool]:
    """Answer, and whether the connection is kept."""
    connection.writer.write(head + body)
    received = (await connection.reader.readuntil(b"\r\n\r\n")).lower()
    length = int(received.partition(b"content-length:")[2].partition(b"\r\n")[0])
    answer = await connection.reader.readexactly(length)
    return Reply(int(received[9:12]), answer), b"\r\nconnection: close" not in received


async def _probed(port: int, head: bytes) -> int | None:
    """The status; None where nobody answers."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(_HOST, port)
            try:
                reply, _ = await _exchange(_Connection(reader, writer), head, b"")
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError, ValueError):
        return None
    return reply.status
