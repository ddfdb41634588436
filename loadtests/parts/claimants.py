"""A crowd of customers who claim at the same second, in a process of its own: `python -m loadtests.parts.claimants`.

The merchant's servers speak for them: so many keep-alive connections, on each of which one claim is open; who presses
when none is free waits for one, and that wait counts.  Who is told to come again does so when he may.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

import orjson
import uvloop

EARLY_S: Final = 0.25
LATE_S: Final = 0.25
"""So far around the set second people press."""
_GIVE_UP_S: Final = 60.0
_CONNECTING_AT_ONCE: Final = 100
_COME_AGAIN: Final = frozenset({"not_open_yet", "busy", "database_busy", "database_unavailable", "try_again"})


@dataclass(slots=True)
class Claimant:
    """One press of the button.  Times are of the wall clock, in seconds."""

    customer: str
    pressed_s: float = 0.0
    asked: int = 0
    answered_s: float = 0.0
    status: int = 0
    code: str = ""
    coupon_id: str | None = None
    refused: list[str] = field(default_factory=list)
    """What it was told before its last answer."""


class Crowd:
    """All claimants of this process, and the connections that they share."""

    def __init__(self, head: bytes, campaign_id: str, claimants: list[Claimant]) -> None:
        self._head = head
        self._campaign = campaign_id
        self._waiting: deque[Claimant] = deque()
        self._idle: list[Connection] = []
        self._left = len(claimants)
        self.claimants = claimants
        self.done = asyncio.Event()

    def press(self, claimant: Claimant) -> None:
        """Ask at once, or when a connection becomes free."""
        claimant.pressed_s = claimant.pressed_s or time.time()
        self._waiting.append(claimant)
        if self._idle:
            self.free(self._idle.pop())

    def free(self, connection: Connection) -> None:
        """A connection has nothing to do: whoever waits longest gets it."""
        if self._waiting:
            claimant = self._waiting.popleft()
            claimant.asked += 1
            body = orjson.dumps({"campaign_id": self._campaign, "customer": {"id": claimant.customer}})
            connection.send(claimant, b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection, claimant: Claimant | None) -> None:
        """A connection broke; the claim on it is made again."""
        if connection in self._idle:
            self._idle.remove(connection)
        if claimant is not None:
            claimant.refused.append("broken")
            self._waiting.appendleft(claimant)

    def answered(self, claimant: Claimant, status: int, answer: bytes, retry_after_s: float | None) -> None:
        """Final, or to be asked again."""
        body = orjson.loads(answer)
        code = body["error"]["code"] if "error" in body else "claimed"
        if code in _COME_AGAIN:
            claimant.refused.append(code)
            asyncio.get_running_loop().call_later(retry_after_s or 1.0, self.press, claimant)
            return
        claimant.answered_s, claimant.status, claimant.code = time.time(), status, code
        claimant.coupon_id = body.get("id")
        self._left -= 1
        if not self._left:
            self.done.set()


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one claim open."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._received = b""
        self._claimant: Claimant | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass of it
        self._crowd.free(self)

    def send(self, claimant: Claimant, request: bytes) -> None:
        """Ask for a claimant."""
        self._claimant = claimant
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        headers = dict(line.lower().split(b": ", 1) for line in self._received[:end].split(b"\r\n")[1:])
        whole = end + 4 + int(headers[b"content-length"])
        if len(self._received) < whole:
            return
        status, answer = int(self._received[9:12]), self._received[end + 4 : whole]
        self._received = b""
        retry_after = headers.get(b"retry-after")
        claimant, self._claimant = self._claimant, None
        if claimant is not None:
            self._crowd.answered(claimant, status, answer, None if retry_after is None else float(retry_after))
        self._crowd.free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        claimant, self._claimant = self._claimant, None
        self._crowd.lost(self, claimant)
        if not self.closed.done():
            self.closed.set_result(None)


async def claim_all(crowd: Crowd, *, url: str, connections: int, opens_at_s: float, seed: int) -> None:
    """Open the connections, let everybody press around the set second, and wait for the last answer."""
    address, loop, draw = urlsplit(url), asyncio.get_running_loop(), random.Random(seed)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    connecting = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def keep_open() -> None:
        while not crowd.done.is_set():
            async with connecting:
                try:
                    _, connection = await loop.create_connection(lambda: Connection(crowd), host, port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
            await connection.closed

    keeping = [asyncio.create_task(keep_open()) for _ in range(connections)]
    offset_s = loop.time() - time.time()
    for claimant in crowd.claimants:
        loop.call_at(opens_at_s + draw.uniform(-EARLY_S, LATE_S) + offset_s, crowd.press, claimant)
    try:
        await asyncio.wait_for(crowd.done.wait(), opens_at_s - time.time() + _GIVE_UP_S)
    finally:
        for task in keeping:
            task.cancel()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "key", "campaign", "report"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("first", "count", "connections", "doubles"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--opens-at", type=float, required=True)
    return parser.parse_args()


async def main() -> None:
    """Write one JSON line for each press: even where answers are missing, which the audit then tells."""
    given = _arguments()
    address = urlsplit(given.url)
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {given.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: "
    ).encode()
    numbers = [*range(given.first, given.first + given.count), *range(given.first, given.first + given.doubles)]
    crowd = Crowd(head, given.campaign, [Claimant(f"customer-{number}") for number in numbers])
    try:
        await claim_all(
            crowd, url=given.url, connections=given.connections, opens_at_s=given.opens_at, seed=given.first
        )
    finally:
        lines = b"".join(orjson.dumps(claimant) + b"\n" for claimant in crowd.claimants)
        await asyncio.to_thread(Path(given.report).write_bytes, lines)


if __name__ == "__main__":
    uvloop.run(main())
