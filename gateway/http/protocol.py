"""Uvicorn's HTTP protocol, but that head and body of an answer leave in one write: a system call less."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.http.heads import BoundedHeadProtocol


class _OneWrite:
    """A transport that holds a first piece back until the second comes, or the event loop turns."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""

    def write(self, data: bytes) -> None:
        """Hold the head of an answer; send it together with what follows."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = data
            self._loop.call_soon(self._release)

    def close(self) -> None:
        """Close when everything is sent."""
        self._release()
        self._transport.close()

    def _release(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class OneWriteProtocol(BoundedHeadProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(_OneWrite(transport))  # type: ignore[arg-type]
