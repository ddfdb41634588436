"""Bounds what uvicorn leaves unbounded: the time and size of a request's head, and how many connections are open.

Without it a client that sends half a head holds its connection for ever, and one that never ends a header fills the
memory.  What is no HTTP at all is refused in the API's error shape too.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.http.answers import error_answer
from gateway.kernel.errors import ApiError, InvalidRequest, Unavailable
from gateway.kernel.ids import new_id

HEAD_S_MAX: Final = 10.0
HEAD_BYTES_MAX: Final = 64 * 1024
CONNECTIONS_MAX: Final = 8_192


def connections_max() -> int:
    """At most half of the process's file descriptors: the others reach the channels and the stores."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if descriptors == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, descriptors // 2)


class BoundedHeadProtocol(HttpToolsProtocol):
    """One connection.  The clock runs from its beginning, and again from a head that came in part."""

    _in_head = False
    _had_head = False
    _head_bytes = 0
    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > connections_max():
            self._refuse(Unavailable("busy", "Too many connections are open: try again.", retry_after_s=1))
            return
        self._too_late = self.loop.call_later(HEAD_S_MAX, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; what is all head counts against its bound."""
        was_in_head = self._in_head or not self._had_head
        super().data_received(data)
        if self._in_head or not self._had_head:
            self._head_bytes += len(data) if was_in_head else 0
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(InvalidRequest("invalid_request", "The head of the request is too large.", status=431))
            elif self._too_late is None and not self.transport.is_closing():
                self._too_late = self.loop.call_later(HEAD_S_MAX, self._head_is_late)
        elif self._too_late is not None:
            self._stop_clock()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        self._had_head = True
        self._head_bytes = 0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(InvalidRequest("invalid_request", msg))

    def _head_is_late(self) -> None:
        self._too_late = None
        if self._in_head:
            self._refuse(InvalidRequest("request_timeout", "The head of the request took too long.", status=408))
        elif not self._had_head:
            self.transport.close()

    def _stop_clock(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _refuse(self, error: ApiError) -> None:
        """Answer outside any request, and close; an earlier request that is still at work gets its own answer first."""
        self._stop_clock()
        if self.transport.is_closing():
            return
        if self._had_head and not (self.cycle.response_complete or self.cycle.more_body):
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        request_id = new_id("req")
        answer = error_answer(error, request_id, "")
        more = b"".join([b"%b: %b\r\n" % header for header in answer.headers])
        self.transport.write(
            STATUS_LINE[answer.status] + b"content-type: application/json\r\n"
            b"content-length: %d\r\nrequest-id: %b\r\n%bconnection: close\r\n\r\n%b"
            % (len(answer.body), request_id.encode(), more, answer.body)
        )
        self.transport.close()
