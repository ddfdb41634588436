"""Uvicorn's HTTP protocol, but that head and body of an answer leave in one write, and that a stop loses no request."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from gateway.http.heads import BoundedHeadProtocol

LAST_LOOK_S: Final = 1.0
"""So long after a stop, a request that crossed with it on an idle connection is still taken."""


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

    _stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(_OneWrite(transport))  # type: ignore[arg-type]

    def on_headers_complete(self) -> None:
        """The head is there; the last request of a process that stops is answered and its connection closed."""
        super().on_headers_complete()
        self.scope["mashang.connection"] = self.cycle  # type: ignore[typeddict-unknown-key]
        if self._stopping:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """The server stops.  Uvicorn would close an idle connection on a request that has arrived and is not read."""
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LAST_LOOK_S, self._close_if_idle)
        else:
            super().shutdown()

    def _close_if_idle(self) -> None:
        if not self._in_head and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
