"""Requests and answers that are all there at once, as nearly all are: they need none of ASGI's waiting and messages.

Where the server's own cycle stands behind ASGI's callables, with no layer in between that would be passed over, the
body is taken without a clock and the answer leaves as one piece instead of as two messages (docs/decisions/0031).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, cast

from starlette.types import Receive, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_CLOSE: Final = b"connection: close\r\n"


class OneWrite:
    """A transport that holds a first piece back until the second comes, or the event loop turns."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self.is_closing = transport.is_closing  # asked for each answer, and `__getattr__` costs 0.6 µs

    def write(self, data: bytes) -> None:
        """Hold the head of an answer; send it together with what follows."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = data
            self._loop.call_soon(self._release)

    def write_whole(self, data: bytes) -> None:
        """Send an answer with its head."""
        self._release()
        self._transport.write(data)

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


def body_here(receive: Receive) -> bytes | None:
    """The whole body, taken without waiting; None where some of it is still to come, or the client waits to be asked.

    It does what the first call of uvicorn's `receive` would do.
    """
    cycle = _cycle_of(receive)
    if cycle is None or cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
        return None
    cycle.flow.resume_reading()
    cycle.message_event.clear()
    body, cycle.body = bytes(cycle.body), bytearray()
    return body


def send_whole(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
    """Send an answer with its head; False where that is left to ASGI (it waits for a peer that reads slowly).

    `headers` are our own: names in lower case, no content-length, nothing in them that came from outside.
    """
    cycle = _cycle_of(send)
    if cycle is None or cycle.response_started or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    if cycle.disconnected:
        return True
    lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
    lines.append(b"content-length: %d\r\n" % len(body))
    if not cycle.keep_alive:
        lines.append(_CLOSE)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    transport = cast("OneWrite", cycle.transport)
    transport.write_whole(b"%b%b\r\n%b" % (STATUS_LINE[status], b"".join(lines), body))
    cycle.message_event.set()
    if not cycle.keep_alive:
        transport.close()
    cycle.on_response()
    return True


def _cycle_of(ours: Receive | Send) -> RequestResponseCycle | None:
    """The cycle whose method this is, on a connection of ours; None for anything that wraps one."""
    cycle = getattr(ours, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not isinstance(cast("object", cycle.transport), OneWrite):
        return None
    return cycle
