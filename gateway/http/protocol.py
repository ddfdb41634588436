"""Uvicorn's HTTP protocol, but that head and body of an answer leave in one write, and that a stop loses no request."""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.http.heads import BoundedHeadProtocol
from gateway.http.whole import OneWrite
from gateway.kernel.draining import DRAINING
from gateway.kernel.lazy_timer import LazyTimer

LAST_LOOK_S: Final = 1.0
"""So long after a stop, a request that crossed with it on an idle connection is still taken."""


class OneWriteProtocol(BoundedHeadProtocol):
    """One connection."""

    _stopping = False
    _idle: LazyTimer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        self._idle = LazyTimer(self._close_if_idle)
        super().connection_made(OneWrite(transport))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._idle.close()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """As uvicorn's, but that its timer of an idle connection is not made anew after each answer.

        Nor is it stopped by whatever comes: a blank line, or the rest of a body that was answered early, begins no
        request, and would keep the connection for ever.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle.set(self.timeout_keep_alive)

    def on_headers_complete(self) -> None:
        """The head is there; where the process is to stop, the request is answered and its connection closed."""
        super().on_headers_complete()
        self.scope["mashang.connection"] = self.cycle  # type: ignore[typeddict-unknown-key]
        if self._stopping or DRAINING.is_on:
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
