"""A merchant's server for tests: takes webhooks in threads of its own, and answers them as a test wants.

with start_receiver() as receiver:
    ...register receiver.url...
    receiver.behaviour = answering(500)          # from now on
    messages = await receiver.until(3)           # once three have come
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias

_UNTIL_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        """The body, read."""
        read: dict[str, Any] = json.loads(self.body)
        return read


Behaviour: TypeAlias = Callable[[Received, BaseHTTPRequestHandler], None]
"""Answers a request by writing to the handler, or does not."""


def answering(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Behaviour:
    """An ordinary answer."""

    def answer(_: Received, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


class Receiver:
    """The running server.  `received` holds every request, in the order in which they came."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.port: int = server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}/hook"
        self.behaviour: Behaviour = answering(204)
        self.received: list[Received] = []
        self.stopped = threading.Event()
        """Set at the end: whoever holds an answer back lets go then."""

    def of(self, event_id: str) -> list[Received]:
        """The requests with that id."""
        return [one for one in self.received if one.id == event_id]

    async def until(
        self, count: int, wanted: Callable[[Received], bool] = lambda _: True, timeout_s: float = _UNTIL_S
    ) -> list[Received]:
        """The requests that are wanted, once there are so many."""
        deadline = time.monotonic() + timeout_s
        while len(found := [one for one in tuple(self.received) if wanted(one)]) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came"
            await asyncio.sleep(0.01)
        return found

    async def message_of(self, payment_id: str, kind: str, timeout_s: float = _UNTIL_S) -> Received:
        """The first message of that type about that payment or refund's payment."""

        def is_it(one: Received) -> bool:
            data = one.message["data"]
            return one.message["type"] == kind and payment_id in {data["id"], data.get("payment_id")}

        return (await self.until(1, is_it, timeout_s))[0]


@contextmanager
def start_receiver(ssl_context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen on a free port of 127.0.0.1 until this is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Received(self.command, self.path, headers, body)
            receiver.received.append(one)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                receiver.behaviour(one, self)
                self.wfile.flush()

        do_GET = do_PUT = do_HEAD = do_POST  # noqa: N815  the server's own names

        def log_message(self, *_: Any) -> None:
            """Tests read what was received instead."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A sender that hangs up is no error here."""

    server = Server(("127.0.0.1", 0), Handler)
    if ssl_context is not None:
        server.socket = ssl_context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver = Receiver(server, "http" if ssl_context is None else "https")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
