"""An answer that leaves as one write: ASGI's two messages would be two system calls and checks of every header."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from routing.simulators.channel import HttpAnswer

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_CLOSE: Final = b"connection: close\r\n"
_NO_CONTENT: Final = 204


def send_whole(send: Send, answer: HttpAnswer) -> bool:
    """Send it with its head; False where that is left to ASGI (another server, a client that reads slowly)."""
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or cycle.response_started or cycle.flow.write_paused:
        return False
    if cycle.scope["method"] == "HEAD":
        return False
    if cycle.disconnected:
        return True
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(_head(cycle, answer) + answer.body)
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def _head(cycle: RequestResponseCycle, answer: HttpAnswer) -> bytes:
    """Names in lower case, as ASGI has them."""
    headers = [*cycle.default_headers, *[(name.lower(), value) for name, value in answer.headers]]
    if answer.status != _NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    lines = [b"%b: %b\r\n" % header for header in headers]
    if not cycle.keep_alive:
        lines.append(_CLOSE)
    return b"%b%b\r\n" % (STATUS_LINE[answer.status], b"".join(lines))
