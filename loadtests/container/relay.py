"""Lets a container's user reach the embedded servers: a TCP port on the loopback before each of their unix sockets."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 1 << 16


class Relay:
    """Serves until the process ends, on a thread and a loop of its own: whoever measures beside it may block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def open(self, path: Path) -> int:
        """The port that leads to a unix socket."""
        return asyncio.run_coroutine_threadsafe(self._open(path), self._loop).result()

    async def _open(self, path: Path) -> int:
        async def both_ways(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_unix_connection(path)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

        server = await asyncio.start_server(both_ways, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()
