"""`make bench-admission`: what a refused request costs beside the no-op POST, and admission costs a payment.

Every server is a process of its own; its CPU time (/proc/PID/stat) over the requests that it answered is the figure.
They take turns, so that what the machine's neighbours take is taken from all; the best round of each is told, and the
median, which is judged.  The answers' delay is shown too: on a busy machine it is mostly the neighbours'.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gateway.admission.admission import Admission, Capacity, Ticket
from gateway.admission.limit import Bounds
from gateway.merchants.store import Merchant
from loadtests.bench.servers import serving
from loadtests.ending import ended_in_order
from loadtests.parts.admission_server import KEY, STATUSES
from loadtests.processes import cpu_us

TARGET_US: Final = 60.0
"""P8 of the performance targets: a refusal at the outermost ASGI layer."""
_SERVER: Final = "loadtests.parts.admission_server"
_CONNECTIONS: Final = 32
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OTHERS_SHARE_MAX: Final = 0.01
"""A merchant's rate lets one payment a second in."""
_BODY: Final = orjson.dumps(
    {
        "merchant_order_no": "B0000001-0000001",
        "amount": 2599,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": "134567890123456789",
        "description": "latte",
        "store_id": "s-1",
        "terminal_id": "t-1",
        "customer": {"id": "c-42", "ip": "203.0.113.7", "device_id": "d-9"},
        "metadata": {"table": "12"},
    }
)


@dataclass(frozen=True, slots=True)
class Cost:
    """µs of the server's CPU for one answer: the best round and the median; ms until half and 99 % had theirs."""

    what: str
    best_us: float
    median_us: float
    half_ms: float
    late_ms: float


@dataclass(slots=True)
class Answers:
    """What came: seconds until each answer, and how many there were of each status."""

    delays_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def require(self, status: int) -> None:
        """Raise RuntimeError unless nearly all had that status: another answer costs something else."""
        others = self.statuses.total() - self.statuses[status]
        if others > _OTHERS_SHARE_MAX * self.statuses.total():
            raise RuntimeError(f"not HTTP {status} but {dict(self.statuses)}")


class _Client(asyncio.Protocol):
    """One connection that sends the next request when it has the answer."""

    def __init__(self, request: bytes, count: int, done: asyncio.Future[None], answers: Answers) -> None:
        self._request, self._left, self._done, self._answers = request, count, done, answers
        self._sent_at = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not _is_whole(self._received):
            return
        self._answers.delays_s.append(time.perf_counter() - self._sent_at)
        self._answers.statuses[int(self._received[9:12])] += 1
        self._received = b""
        self._left -= 1
        if self._left:
            self._send()
        else:
            self._transport.close()
            self._done.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))


def _is_whole(received: bytes) -> bool:
    """Whether an answer is there to its end: head and body may come in two pieces."""
    head, found, body = received.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(found) and len(body) >= (0 if length is None else int(length[1]))


async def _ask(port: int, path: str, count: int) -> Answers:
    """Send so many requests over some connections."""
    loop = asyncio.get_running_loop()
    request = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n"
    ).encode() + _BODY
    answers = Answers()
    each = [loop.create_future() for _ in range(_CONNECTIONS)]
    for done in each:
        one = done
        await loop.create_connection(
            lambda one=one: _Client(request, count // _CONNECTIONS, one, answers),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
    await asyncio.gather(*each)
    return answers


def _round(kind: str, port: int, pid: int, count: int) -> tuple[float, list[float]]:
    path = "/no-op" if kind == "no_op" else "/v1/payments"
    before = cpu_us({"server": [pid]})["server"]
    answers = asyncio.run(_ask(port, path, count))
    used_us = cpu_us({"server": [pid]})["server"] - before
    answers.require(STATUSES[kind])
    return used_us / len(answers.delays_s), answers.delays_s


def refusals(rounds: int, count: int) -> list[Cost]:
    """The no-op POST and each kind of refusal, in turns."""
    taken: dict[str, list[tuple[float, list[float]]]] = {kind: [] for kind in STATUSES}
    with ended_in_order(), ExitStack() as stack:
        started = {kind: stack.enter_context(serving((_SERVER, kind), "/")) for kind in STATUSES}
        servers = {kind: (urlsplit(url).port or 0, pid) for kind, (url, pid) in started.items()}
        for kind, (port, pid) in servers.items():
            _round(kind, port, pid, count // 4)
        for _ in range(rounds):
            for kind, (port, pid) in servers.items():
                taken[kind].append(_round(kind, port, pid, count))
    return [_cost(kind, found) for kind, found in taken.items()]


def _cost(what: str, found: list[tuple[float, list[float]]]) -> Cost:
    costs, delays = [cost for cost, _ in found], sorted(delay for _, delays_s in found for delay in delays_s)
    half, late = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
    return Cost(what, min(costs), statistics.median(costs), 1000 * half, 1000 * late)


def admitted_us(rounds: int = 9, count: int = 20_000) -> tuple[float, float]:
    """What admission adds to a payment that is let in, in this process: best and median, µs."""
    merchants = [Merchant(f"mer_{number}", "shop", "Asia/Shanghai") for number in range(100)]
    admission = Admission(Capacity(Bounds(1_000, 1_000, 1_000, 0.1), 10_000, 10))
    costs = []
    for _ in range(rounds):
        began = time.thread_time()
        for number in range(count):
            merchant = merchants[number % 100]
            ticket = admission.admit(merchant.id, merchant, time.monotonic())
            assert isinstance(ticket, Ticket)
            ticket.identify(merchant)
            ticket.bound()
            ticket.close()
        costs.append(1e6 * (time.thread_time() - began) / count)
    return min(costs), statistics.median(costs)


def main(
    *,
    rounds: Annotated[int, typer.Option(help="Rounds of each.")] = 7,
    requests: Annotated[int, typer.Option(help="Requests in a round.")] = 8_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there too.")] = None,
) -> None:
    """Measure and tell; the exit status says whether a refusal costs no more than its target."""
    costs, (best_us, median_us) = refusals(rounds, requests), admitted_us()
    yardstick = costs[0].median_us
    table = Table("answer", "µs CPU, best", "median", "× no-op", "ms, half", "ms, 99 %", title="A refused request")
    for cost in costs:
        figures = (cost.best_us, cost.median_us, cost.median_us / yardstick, cost.half_ms, cost.late_ms)
        table.add_row(cost.what, *(f"{figure:.2f}" for figure in figures))
    console = Console()
    console.print(table)
    console.print(f"A payment that is let in: {best_us:.2f} µs of its CPU for admission (median {median_us:.2f}).")
    console.print(f"{os.cpu_count()} cores; the target of a refusal is {TARGET_US:.0f} µs.")
    if json_file is not None:
        found = {"refusals": [asdict(cost) for cost in costs], "admitted_us": best_us, "target_us": TARGET_US}
        json_file.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    if max(cost.median_us for cost in costs[1:]) > TARGET_US:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
