"""The load generator: requests over keep-alive connections, in a process of its own.

Two models.  Closed: so many requests are open at once, and the next leaves when an answer is there; whatever is slow is
asked less.  Open (`--rate`): requests arrive at random moments, so many a second, whatever became of the earlier ones,
as customers do; latencies count from the arrival, and what left late is told.

Raw asyncio protocols on uvloop, one per open request: 30 to 50 µs of CPU a payment, as wrk takes with a Lua script.
Every answer becomes a sample; with `--client-log` also a line of the client's book, which the audit reads.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate, chain, count, repeat
from pathlib import Path
from typing import IO, Final, NamedTuple, cast
from urllib.parse import urlsplit

import orjson
import uvloop

from loadtests.traffic.arrivals import poisson
from loadtests.traffic.orders import MIX, STORES, WALLETS, Orders, spread
from loadtests.traffic.samples import REFUSALS, Sample, write_samples

_DRAIN_S: Final = 20.0
_DRAWN: Final = 1_000
"""So many merchants are drawn at a time."""
_AGAIN_S: Final = 0.05
_SUCCEEDED: Final = b'"status":"succeeded"'
_DECLINED: Final = b'"risk_declined"'
_AFTER_REFUSAL_S: Final = 1.0
"""What Retry-After says at least."""


@dataclass(slots=True)
class Run:
    """What the connections of one run share; `heads` has the next request's, which says who sends it."""

    heads: Iterator[bytes]
    orders: Iterator[tuple[bytes, bytes]]
    until_s: float
    book: IO[bytes] | None
    samples: list[Sample] = field(default_factory=list)
    open: int = 0

    def finish(self, sent: Sent, status: int, answer: bytes) -> None:
        """Note one answer; status 0 where the connection broke."""
        now_s = time.monotonic()
        succeeded = 200 <= status < 300 and _SUCCEEDED in answer
        declined = not succeeded and _DECLINED in answer
        late_ms = (sent.at_s - sent.arrived_s) * 1000
        self.samples.append(Sample(now_s, (now_s - sent.arrived_s) * 1000, status, succeeded, late_ms, declined))
        if self.book is not None:
            self.book.write(book_line(sent.order_no, sent.body, status, answer))


class Sent(NamedTuple):
    """A request on its way: what was sent, when it arrived at the generator and when it left."""

    order_no: bytes
    body: bytes
    arrived_s: float
    at_s: float


def book_line(order_no: bytes, body: bytes, status: int, answer: bytes) -> bytes:
    """One line of the client's book; what is not JSON (nothing at all, or a proxy's page) becomes null."""
    written = datetime.now(UTC).isoformat(timespec="milliseconds").encode()
    answered = answer if answer[:1] == b"{" else b"null"
    return b'{"time":"%b","merchant_order_no":"%b","request":%b,"http_status":%b,"answer":%b}\n' % (
        written, order_no, body, b"%d" % status if status else b"null", answered,
    )  # fmt: skip


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request open; `ready` is called whenever it can take the next."""

    def __init__(self, run: Run, ready: Callable[[Connection], None]) -> None:
        self._run = run
        self._ready = ready
        self._received = b""
        self._needed = 0
        self._status = 0
        self._sent: Sent | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass of it
        self._ready(self)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        if not self._needed and not self._read_head(received):
            return
        if len(received) >= self._needed:
            answer = received[received.index(b"\r\n\r\n") + 4 : self._needed]
            self._received, self._needed = b"", 0
            self._finish(self._status, answer)
            self._ready(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._finish(0, b"")
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, arrived_s: float, now_s: float) -> None:
        """Send the next order, which arrived at that moment."""
        run = self._run
        order_no, body = next(run.orders)
        self._sent = Sent(order_no, body, arrived_s, now_s)
        run.open += 1
        self._transport.write(b"%b%d\r\n\r\n%b" % (next(run.heads), len(body), body))

    def close(self) -> None:
        self._transport.close()

    @property
    def was_refused(self) -> bool:
        """Whether the last answer was a refusal."""
        return self._status in REFUSALS

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _finish(self, status: int, answer: bytes) -> None:
        if self._sent is None:
            return
        sent, self._sent = self._sent, None
        self._run.open -= 1
        self._run.finish(sent, status, answer)

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


async def generate(url: str, open_requests: int, run: Run) -> None:
    """Keep so many requests open until the run's end, then wait for the last answers.

    A connection that breaks is opened again; who is refused comes back a second later, as he is told.
    """
    host, port = _peer(url)
    loop = asyncio.get_running_loop()

    def send_next(connection: Connection) -> None:
        if connection.was_refused:
            loop.call_later(_AFTER_REFUSAL_S, send_now, connection)
        else:
            send_now(connection)

    def send_now(connection: Connection) -> None:
        now_s = time.monotonic()
        if now_s >= run.until_s or connection.is_closing:
            connection.close()
        else:
            connection.send(now_s, now_s)

    async def keep_open() -> None:
        while time.monotonic() < run.until_s:
            try:
                _, connection = await loop.create_connection(lambda: Connection(run, send_next), host, port)
            except OSError:
                await asyncio.sleep(_AGAIN_S)
                continue
            await connection.closed

    await asyncio.wait_for(
        asyncio.gather(*(keep_open() for _ in range(open_requests))),
        timeout=run.until_s - time.monotonic() + _DRAIN_S,
    )


async def generate_at(url: str, arrivals: Iterator[float], open_max: int, run: Run) -> None:
    """Send a request at each of the moments (CLOCK_MONOTONIC, s) until the run's end, then wait for the last answers.

    With `open_max` requests open, or while a connection is being made, an arrival waits and leaves late.
    """
    host, port = _peer(url)
    waiting = Waiting(run, host, port, open_max)
    for arrival_s in arrivals:
        if arrival_s >= run.until_s:
            break
        if (ahead_s := arrival_s - time.monotonic()) > 0:
            await asyncio.sleep(ahead_s)
        waiting.arrive(arrival_s)
    await asyncio.wait_for(waiting.end(), timeout=_DRAIN_S)


class Waiting:
    """The arrivals that have not left, and the connections that have nothing to do."""

    def __init__(self, run: Run, host: str, port: int, open_max: int) -> None:
        self._run = run
        self._host, self._port = host, port
        self._open_max = open_max
        self._arrived: deque[float] = deque()
        self._idle: list[Connection] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._ends = False

    def arrive(self, arrived_s: float) -> None:
        """Send it over an idle connection, or let it wait for the next one."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closing:
                connection.send(arrived_s, time.monotonic())
                return
        self._arrived.append(arrived_s)
        self._connect()

    async def end(self) -> None:
        """No more arrive: wait until all have left and are answered."""
        self._ends = True
        while self._idle:
            self._idle.pop().close()
        await asyncio.gather(*self._connections)

    def _ready(self, connection: Connection) -> None:
        if self._arrived:
            connection.send(self._arrived.popleft(), time.monotonic())
        elif self._ends:
            connection.close()
        else:
            self._idle.append(connection)

    def _connect(self) -> None:
        if len(self._connections) < self._open_max:
            task = asyncio.ensure_future(self._keep())
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _keep(self) -> None:
        """One connection to its end; it is made anew as long as something waits."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, made = await loop.create_connection(
                    lambda: Connection(self._run, self._ready), self._host, self._port
                )
            except OSError:
                await asyncio.sleep(_AGAIN_S)
            else:
                await made.closed
            if not self._arrived:
                return


def heads_of(url: str, keys: Sequence[str]) -> Iterator[bytes]:
    """The heads of the requests, up to the body's length, each with the key of somebody.

    Of many keys the first is taken most: the nth 1/n times as often (Zipf), as few merchants have most payments.
    """
    heads = [_head(url, key) for key in keys]
    if len(heads) == 1:
        return repeat(heads[0])
    weights = list(accumulate(1 / place for place in range(1, len(heads) + 1)))
    return chain.from_iterable(random.choices(heads, cum_weights=weights, k=_DRAWN) for _ in count())


def _head(url: str, key: str) -> bytes:
    address = urlsplit(url)
    return (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: "
    ).encode()


def _peer(url: str) -> tuple[str, int]:
    address = urlsplit(url)
    return address.hostname or "127.0.0.1", address.port or 80


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="with the path, e.g. http://127.0.0.1:8000/v1/payments")
    parser.add_argument("--key", default="", help="API key")
    parser.add_argument(
        "--keys", type=Path, help="file of merchants' keys, a line each, instead of --key; each has one store"
    )
    parser.add_argument("--open", type=int, default=128, help="requests open at once; with --rate at most")
    parser.add_argument("--rate", type=float, help="arrivals a second, at random moments")
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
    began_s = time.monotonic()
    keys = [options.key] if options.keys is None else options.keys.read_text().split()
    orders = Orders(options.run, wallets, options.source, STORES if options.keys is None else 1)
    run = Run(heads_of(options.url, keys), iter(orders), began_s + options.seconds, book)
    if options.rate is None:
        uvloop.run(generate(options.url, options.open, run))
    else:
        arrivals = poisson(options.rate, began_s, random.Random(options.run))
        uvloop.run(generate_at(options.url, arrivals, options.open, run))
    if book is not None:
        book.close()
    write_samples(options.samples, run.samples)
    statuses = {"requests": len(run.samples), "succeeded": sum(sample.succeeded for sample in run.samples)}
    print(orjson.dumps(statuses).decode())


if __name__ == "__main__":
    main()
