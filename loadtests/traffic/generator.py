"""The load generator: so many requests open at once over keep-alive connections, in a process of its own.

Raw asyncio protocols on uvloop, one per open request: 30 to 50 µs of CPU a payment, as wrk takes with a Lua script.
Every answer becomes a sample; with `--client-log` also a line of the client's book, which the audit reads.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, cast
from urllib.parse import urlsplit

import orjson
import uvloop

from loadtests.traffic.orders import MIX, WALLETS, Orders, spread
from loadtests.traffic.samples import Sample, write_samples

_DRAIN_S: Final = 20.0
_SUCCEEDED: Final = b'"status":"succeeded"'


@dataclass(slots=True)
class Run:
    """What the connections of one run share."""

    head: bytes
    orders: Iterator[tuple[bytes, bytes]]
    until_s: float
    book: IO[bytes] | None
    samples: list[Sample] = field(default_factory=list)
    open: int = 0

    def finish(self, order_no: bytes, body: bytes, sent_s: float, status: int, answer: bytes) -> None:
        """Note one answer; status 0 where the connection broke."""
        now_s = time.monotonic()
        succeeded = 200 <= status < 300 and _SUCCEEDED in answer
        self.samples.append(Sample(now_s, (now_s - sent_s) * 1000, status, succeeded))
        if self.book is not None:
            self.book.write(book_line(order_no, body, status, answer))


def book_line(order_no: bytes, body: bytes, status: int, answer: bytes) -> bytes:
    """One line of the client's book; what is not JSON (nothing at all, or a proxy's page) becomes null."""
    written = datetime.now(UTC).isoformat(timespec="milliseconds").encode()
    answered = answer if answer[:1] == b"{" else b"null"
    return b'{"time":"%b","merchant_order_no":"%b","request":%b,"http_status":%b,"answer":%b}\n' % (
        written, order_no, body, b"%d" % status if status else b"null", answered,
    )  # fmt: skip


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request open: the next leaves when the answer is there."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._received = b""
        self._needed = 0
        self._status = 0
        self._order: tuple[bytes, bytes] | None = None
        self._sent_s = 0.0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass of it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        if not self._needed and not self._read_head(received):
            return
        if len(received) >= self._needed:
            answer = received[received.index(b"\r\n\r\n") + 4 : self._needed]
            self._received, self._needed = b"", 0
            self._finish(self._status, answer)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._finish(0, b"")
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        run = self._run
        now_s = time.monotonic()
        if now_s >= run.until_s:
            self._transport.close()
            return
        self._order = next(run.orders)
        body = self._order[1]
        self._sent_s = now_s
        run.open += 1
        self._transport.write(b"%b%d\r\n\r\n%b" % (run.head, len(body), body))

    def _finish(self, status: int, answer: bytes) -> None:
        if self._order is None:
            return
        (order_no, body), self._order = self._order, None
        self._run.open -= 1
        self._run.finish(order_no, body, self._sent_s, status, answer)

    def _read_head(self, received: bytes) -> bool:
        """Take status and length from the head; False where it is not complete yet."""
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = received[:end].lower()
        self._status = int(head[9:12])
        start = head.index(b"content-length:") + 15
        stop = head.find(b"\r\n", start)
        self._needed = end + 4 + int(head[start : stop if stop >= 0 else end])
        return True


async def generate(url: str, key: str, open_requests: int, run: Run) -> None:
    """Keep so many requests open until the run's end, then wait for the last answers.

    A connection that breaks is opened again.
    """
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    loop = asyncio.get_running_loop()

    async def keep_open() -> None:
        while time.monotonic() < run.until_s:
            try:
                _, connection = await loop.create_connection(lambda: Connection(run), host, port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            await connection.closed

    run.head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: "
    ).encode()
    await asyncio.wait_for(
        asyncio.gather(*(keep_open() for _ in range(open_requests))),
        timeout=run.until_s - time.monotonic() + _DRAIN_S,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="with the path, e.g. http://127.0.0.1:8000/v1/payments")
    parser.add_argument("--key", default="", help="API key")
    parser.add_argument("--open", type=int, default=128, help="requests open at once")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--wallet", choices=[*WALLETS, "mix"], default="wechat")
    parser.add_argument("--run", type=int, required=True, help="a number that no earlier run had")
    parser.add_argument("--source", type=int, default=0, help="0 to 9: tells generators of one run apart")
    parser.add_argument("--samples", type=Path, required=True, help="file for the samples")
    parser.add_argument("--client-log", type=Path, help="file for the client's book, appended to")
    return parser.parse_args()


def main() -> None:
    """Run the generator and write what it measured."""
    options = _arguments()
    wallets = spread(MIX) if options.wallet == "mix" else [options.wallet]
    book = None if options.client_log is None else options.client_log.open("ab")
    run = Run(b"", iter(Orders(options.run, wallets, options.source)), time.monotonic() + options.seconds, book)
    uvloop.run(generate(options.url, options.key, options.open, run))
    if book is not None:
        book.close()
    write_samples(options.samples, run.samples)
    statuses = {"requests": len(run.samples), "succeeded": sum(sample.succeeded for sample in run.samples)}
    print(orjson.dumps(statuses).decode())


if __name__ == "__main__":
    main()
