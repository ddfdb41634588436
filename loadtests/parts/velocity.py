"""`make bench-velocity`: what counting a payment costs Valkey and the gateway, and the memory that entities take.

20 velocities over six keys (customer, device, ip, terminal, merchant, customer and merchant), as an acquirer asks them;
payments of 20,000 customers at 200 merchants over 30 days, 64 at once.  CPU is of the processes themselves (user and
system); what a pipelined call costs the gateway by itself is measured with a script that does nothing, and taken off.
"durable" is with the append-only file that `mashang run` writes.  Memory is Valkey's own figure for a key.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Final, TypeVar

import orjson
import psutil
import redis
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from gateway.database.valkey import Script, Valkey
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.valkey import Valkey as ValkeyServer
from gateway.kernel.expressions.fields import call_name
from gateway.kernel.secrets import Vault
from loadtests.parts.pool import settings_of
from loadtests.traffic.risk_rules import TYPICAL
from risk.facts import CodeType, Facts, Location
from risk.velocity.calling import Calling
from risk.velocity.reading import Asked, Velocities
from risk.velocity.spec import Metric, Velocity, key_of, window_s_of

_Begun = TypeVar("_Begun")

TARGET_VALKEY_US: Final = 100
TARGET_GATEWAY_US: Final = 30
_AT_ONCE: Final = 64
_SINCE: Final = datetime(2026, 10, 1, tzinfo=UTC)
_DAYS: Final = 30
WORST: Final = tuple(("fraud_share", "customer", f"{minutes}m") for minutes in range(1_377, 1_441))
"""64 velocities on one key that take the most memory: each with a ring, and the finest buckets for the longest time."""
_WORST_DAYS: Final = 9


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiled rule set says of velocities."""

    velocities: tuple[tuple[str, Velocity], ...]
    needs_travel: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in µs of one payment."""

    what: str
    payments: int
    valkey_us: float
    gateway_us: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the entities of one kind."""

    what: str
    entities: int
    mean_bytes: float
    bytes_max: int


def compiled_of(asked: Sequence[tuple[str, str, str]], *, needs_travel: bool = False) -> Compiled:
    """Of metrics, keys and windows."""
    velocities = (
        (call_name("velocity", each), Velocity(Metric(each[0]), key_of(each[1]), window_s_of(each[2])))
        for each in asked
    )
    return Compiled(tuple(velocities), needs_travel)


def main(
    payments: Annotated[int, typer.Option(min=1_000, help="For each figure.")] = 100_000,
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Measure, print tables, and write one JSON document."""
    with tempfile.TemporaryDirectory() as folder:
        server, durable = _start(Path(folder) / "a"), _start(Path(folder) / "b", durable=True)
        try:
            costs, memory = uvloop.run(_measure(server, payments))
            costs.append(uvloop.run(_measure_durable(durable, payments)))
        finally:
            server.stop()
            durable.stop()
    _show(Console(), costs, memory)
    at = datetime.now(UTC)
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"velocity-{at:%Y%m%dT%H%M%SZ}.json"
    document = {
        "time": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "target": {"valkey_us": TARGET_VALKEY_US, "gateway_us": TARGET_GATEWAY_US},
        "costs": [asdict(cost) for cost in costs],
        "memory": [asdict(each) for each in memory],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    Console().print(f"Written to {path}")


def _start(folder: Path, *, durable: bool = False) -> ValkeyServer:
    private_folder(folder)
    server = ValkeyServer(private_folder(folder / "valkey"), socket_folder(folder), folder / "log", durable=durable)
    server.start()
    server.wait_ready()
    return server


async def _measure(server: ValkeyServer, payments: int) -> tuple[list[Cost], list[Memory]]:
    process = psutil.Process(server.child.pid)
    valkey = Valkey(settings_of(server.url()))
    history = list(_history(payments))
    bench = _Bench(process, valkey)
    try:
        await bench.plain(history[:1_000])
        call = await bench.plain(history)
        costs = [call]
        memory = []
        for what, compiled, facts in _cases(history):
            await valkey.call("FLUSHALL")
            costs.append(await bench.counted(what, compiled, facts))
            memory += _memory(server, what)
        return costs, memory
    finally:
        await valkey.aclose()


async def _measure_durable(server: ValkeyServer, payments: int) -> Cost:
    valkey = Valkey(settings_of(server.url()))
    bench = _Bench(psutil.Process(server.child.pid), valkey)
    try:
        compiled = compiled_of(TYPICAL, needs_travel=True)
        return await bench.counted("20 velocities, typical, durable", compiled, list(_history(payments)))
    finally:
        await valkey.aclose()


def _cases(history: list[Facts]) -> Iterator[tuple[str, Compiled, list[Facts]]]:
    typical = compiled_of(TYPICAL, needs_travel=True)
    yield "20 velocities, typical", typical, history
    hot = [each._replace(merchant_id="mer_hot", terminal_id="t1", ip="10.0.0.1") for each in history]
    yield "20 velocities, one merchant, terminal and ip", typical, hot
    step = timedelta(days=_WORST_DAYS) / (len(history) // 10)
    busy = [
        each._replace(customer="ab" * 16, at=_SINCE + number * step)
        for number, each in enumerate(history[: len(history) // 10])
    ]
    yield "64 fraud shares, one customer", compiled_of(WORST), busy


class _Bench:
    def __init__(self, process: psutil.Process, valkey: Valkey) -> None:
        self._process = process
        self._valkey = valkey
        self._velocities = Velocities(Calling(valkey), Vault(bytes(32)))

    async def plain(self, history: Sequence[Facts]) -> Cost:
        """One pipelined call of a script that does nothing."""
        nothing = _script("return 1")
        await self._valkey.script(nothing, ("k",), ())

        def call(_: Facts) -> asyncio.Future[Any]:
            return self._valkey.submit("k", nothing.by_hash(("k",), (b"",)))

        async def heard(called: asyncio.Future[Any]) -> None:
            await called

        return await self._cost("a call of an empty script", history, call, heard)

    async def counted(self, what: str, compiled: Compiled, history: Sequence[Facts]) -> Cost:
        """The payments counted, once each."""

        async def heard(asked: Asked) -> None:
            await asked.features(5)

        begin = self._velocities.begin
        await begin(compiled, history[0]).features(5)
        return await self._cost(what, history, lambda facts: begin(compiled, facts), heard)

    async def _cost(
        self,
        what: str,
        history: Sequence[Facts],
        begin: Callable[[Facts], _Begun],
        heard: Callable[[_Begun], Awaitable[None]],
    ) -> Cost:
        server_s, own_s = _cpu_s(self._process), time.process_time()
        for first in range(0, len(history), _AT_ONCE):
            begun = [begin(facts) for facts in history[first : first + _AT_ONCE]]
            for each in begun:
                await heard(each)
        own_s, server_s = time.process_time() - own_s, _cpu_s(self._process) - server_s
        return Cost(what, len(history), server_s / len(history) * 1e6, own_s / len(history) * 1e6)


def _history(payments: int) -> Iterator[Facts]:
    """In the order of time: 20,000 customers, three in four payments at the customer's own merchant."""
    chance = random.Random(7)
    step = timedelta(days=_DAYS) / payments
    for number in range(payments):
        person = chance.randrange(20_000)
        merchant = person % 200 if chance.random() < 0.75 else chance.randrange(200)
        yield Facts(
            merchant_id=f"mer_{merchant:05d}",
            order_key=f"mer_{merchant:05d}/{number}",
            amount_fen=chance.randrange(100, 50_000),
            method="barcode",
            code_type=CodeType.BARCODE,
            at=_SINCE + number * step,
            timezone="Asia/Shanghai",
            wallet="wechat",
            terminal_id=f"t{chance.randrange(3)}",
            customer=f"{person:032x}",
            device=f"{person + 7:032x}",
            ip=f"10.1.{person // 250}.{person % 250}",
            location=Location(30 + merchant / 100, 120.0),
        )


def _memory(server: ValkeyServer, what: str) -> list[Memory]:
    """Of each kind of entity, by the beginning of its key."""
    sizes: dict[str, list[int]] = {}
    with redis.Redis.from_url(server.url()) as client:
        for key in client.scan_iter(count=1_000):
            sizes.setdefault(key.decode()[6:].partition(":")[0], []).append(client.memory_usage(key, samples=0))
    return [Memory(f"{what}: {kind}", len(each), fmean(each), max(each)) for kind, each in sorted(sizes.items())]


def _script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324 - how servers name scripts


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _show(console: Console, costs: Sequence[Cost], memory: Sequence[Memory]) -> None:
    table = Table(title="CPU of a payment, µs", title_justify="left")
    for column in ("what", "payments", "Valkey", "gateway", "gateway beyond the call"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for cost in costs:
        figures = (cost.valkey_us, cost.gateway_us, cost.gateway_us - costs[0].gateway_us)
        table.add_row(cost.what, f"{cost.payments:,}", *(f"{figure:.1f}" for figure in figures))
    console.print(table)
    table = Table(title="Memory of an entity, bytes", title_justify="left")
    for column in ("what", "entities", "mean", "most"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for each in memory:
        table.add_row(each.what, f"{each.entities:,}", f"{each.mean_bytes:,.0f}", f"{each.bytes_max:,}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
