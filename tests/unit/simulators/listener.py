"""The merchant's server of the simulators' tests: records what it is told, and answers as it was set to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Heard:
    """One notification as it came: headers with lower-case names, and when it came on the monotonic clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float


@dataclass
class Listener:
    """A server on a free port; `answers` are used up one by one, then `answer` holds."""

    port: int
    answer: tuple[int, bytes] = (200, b"success")
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    answer_after_s: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str = "/callbacks/channel/account") -> str:
        """An address of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def take_in(self, heard: Heard) -> tuple[int, bytes]:
        """Record what came; the answer that it gets."""
        with self._lock:
            self.heard.append(heard)
            return self.answers.pop(0) if self.answers else self.answer

    def wait_for(self, count: int, *, within_s: float = 10) -> list[Heard]:
        """What was heard, once there are so many."""
        deadline = time.monotonic() + within_s
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.heard) >= count, f"{len(self.heard)} of {count} notifications came"
        return list(self.heard)


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server calls
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = listener.take_in(Heard(self.path, headers, body, time.monotonic()))
            time.sleep(listener.answer_after_s)
            try:
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Be quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    listener = Listener(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
