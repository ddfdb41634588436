"""`make bench-pool`: what a reservation costs Valkey and the gateway, and how long the pool takes to be built anew.

Reservations: two processes draw from one hot campaign of two slices and confirm, each with so many payments at once.
CPU is of the processes themselves (user and system), not the time on the clock.  "one by one" is the script called for
one order at a time, in pipelines of 100.  Rebuild: after FLUSHALL, from the heartbeat that notices it until every
campaign's slices are in Valkey again.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import orjson
import psutil
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from gateway.database.migrate import migrate
from gateway.database.pool import open_pool
from gateway.database.valkey import Valkey
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.postgres import Postgres
from gateway.devstack.valkey import Valkey as ValkeyServer
from gateway.kernel.ids import new_id
from gateway.settings import Settings
from promotions.budget.asking import SCRIPTS
from promotions.budget.beating import Heart
from promotions.budget.epochs import PoolState, Trust
from promotions.budget.keeping import Keeping
from promotions.budget.lanes import LANES, Slice, beat_key, place_of
from promotions.budget.loading import Room, load
from promotions.budget.pool import BudgetPool
from promotions.budget.reservation import Draw

TARGET_PER_S: Final = 60_000
TARGET_AT_ONCE: Final = 16
"""The target is judged at so many payments at once in each process."""
_PROCESSES: Final = 2
_CAMPAIGN: Final = "cmp_hot"
_DAY: Final = date(2026, 11, 22)
_STATE: Final = PoolState(1, 1)
_PLENTY_FEN: Final = 10**12


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in µs of one reservation with its confirmation; `at_once` payments in each process."""

    what: str
    at_once: int
    reservations: int
    valkey_us: float
    gateway_us: float
    per_valkey_core_s: int


@dataclass(frozen=True, slots=True)
class Rebuild:
    """`noticed_s`: the heartbeat that finds the loss and begins the epoch; `built_s`: then until all is there."""

    campaigns: int
    noticed_s: float
    built_s: float
    round_s: float


def main(
    reservations: Annotated[int, typer.Option(min=1_000, help="For each figure.")] = 100_000,
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Measure, print tables, and write one JSON document."""
    with tempfile.TemporaryDirectory() as folder:
        with _valkey(Path(folder)) as server:
            costs = list(_costs(server, reservations))
        rebuilds = [_rebuild(Path(folder) / str(campaigns), campaigns) for campaigns in (100, 10_000)]
    at = datetime.now(UTC)
    _show(Console(), costs, rebuilds)
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"pool-{at:%Y%m%dT%H%M%SZ}.json"
    document = {
        "time": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "target": {"at_once": TARGET_AT_ONCE, "reservations_per_valkey_core_s_at_least": TARGET_PER_S},
        "costs": [asdict(cost) for cost in costs],
        "rebuilds": [asdict(rebuild) for rebuild in rebuilds],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    Console().print(f"Written to {path}")


def settings_of(redis_url: str, database_url: str = "postgresql://nobody@/none") -> Settings:
    """The settings of a process on these stores."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        master_key=base64.b64encode(bytes(32)).decode(),
        admin_token="x" * 24,
        redis_timeout_s=5.0,
    )


def _costs(server: ValkeyServer, reservations: int) -> Iterator[Cost]:
    process = psutil.Process(server.child.pid)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=context) as clients:
        asyncio.run(_prepare(server.url()))
        list(clients.map(_warm_up, [server.url()] * _PROCESSES))
        for what, client, counts in (("one by one", _one_by_one, (100,)), ("the pool", _through_pool, (1, 4, 16, 64))):
            for at_once in counts:
                asyncio.run(_prepare(server.url()))
                before_s = _cpu_s(process)
                part = reservations // _PROCESSES
                spent = list(clients.map(client, *zip(*_jobs(server, part, at_once), strict=True)))
                valkey_us = (_cpu_s(process) - before_s) / (part * _PROCESSES) * 1e6
                gateway_us = sum(spent) / (part * _PROCESSES) * 1e6
                yield Cost(what, at_once, part * _PROCESSES, valkey_us, gateway_us, int(1e6 / valkey_us))


def _jobs(server: ValkeyServer, part: int, at_once: int) -> list[tuple[str, int, int, int]]:
    return [(server.url(), number, part, at_once) for number in range(_PROCESSES)]


def _warm_up(redis_url: str) -> None:
    _through_pool(redis_url, 0, 100, 10)


def _through_pool(redis_url: str, number: int, payments: int, at_once: int) -> float:
    """Payments that reserve and confirm through BudgetPool; the CPU seconds of this process."""
    return _run(_pay_through_pool(redis_url, number, payments, at_once))


def _run(work: Coroutine[Any, Any, float]) -> float:
    """On the loop that gateways run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _pay_through_pool(redis_url: str, number: int, payments: int, at_once: int) -> float:
    valkey, trust = Valkey(settings_of(redis_url)), Trust()
    trust.learn(_STATE)
    database: Any = None  # nothing is asked of it while Valkey answers
    pool = BudgetPool(database, valkey, trust, number)
    draws = [Draw(_CAMPAIGN, _DAY, _PROCESSES, 100)]
    orders = iter([(f"mer_{number}\n{new_id('order')}", new_id("pay")) for _ in range(payments)])
    began_s = time.process_time()

    async def till() -> None:
        for order_key, owner in orders:
            reserved = await pool.reserve(order_key, owner, draws)
            assert isinstance(reserved, tuple)
            assert reserved[0].in_pool
            pool.confirm(reserved)

    await asyncio.gather(*(till() for _ in range(at_once)))
    await pool.aclose()
    spent_s = time.process_time() - began_s
    await valkey.aclose()
    return spent_s


def _one_by_one(redis_url: str, number: int, payments: int, at_once: int) -> float:
    """The script for each order by itself and its confirmation, so many in a pipeline; the CPU seconds."""
    return _run(_call_one_by_one(redis_url, number, payments, at_once))


async def _call_one_by_one(redis_url: str, number: int, payments: int, at_once: int) -> float:
    valkey = Valkey(settings_of(redis_url))
    place = place_of(Slice(_CAMPAIGN, _DAY, number), _STATE.epoch)
    orders = [(f"mer_{number}\n{new_id('order')}", new_id("pay")) for _ in range(payments)]
    began_s = time.process_time()
    for first in range(0, payments, at_once):
        part = orders[first : first + at_once]
        keys = (place.key, place.beat)
        calls = [
            valkey.submit(place.key, SCRIPTS["reserve"].by_hash(keys, (1, order_key, owner, 100)))
            for order_key, owner in part
        ]
        await asyncio.gather(*calls)
        calls = [
            valkey.submit(place.key, SCRIPTS["settle"].by_hash(keys[:1], ("confirm", order_key, owner, "")))
            for order_key, owner in part
        ]
        await asyncio.gather(*calls)
    spent_s = time.process_time() - began_s
    await valkey.aclose()
    return spent_s


async def _prepare(redis_url: str) -> None:
    """An empty server with one campaign and its heartbeat, and the scripts known."""
    valkey = Valkey(settings_of(redis_url))
    await valkey.call("FLUSHALL")
    for lane in range(LANES):
        await valkey.call("SET", beat_key(lane), f"{_STATE.generation}:abc:{_STATE.epoch}")
    for script in SCRIPTS.values():
        await valkey.call("SCRIPT", "LOAD", script.text)
    rooms = [Room(Slice(_CAMPAIGN, _DAY, number), _PLENTY_FEN, None) for number in range(_PROCESSES)]
    await load(valkey, _STATE.epoch, rooms)
    await valkey.aclose()


def _rebuild(folder: Path, campaigns: int) -> Rebuild:
    with _valkey(folder) as server, _postgres(folder) as database_url:
        return asyncio.run(_measure_rebuild(server.url(), database_url, campaigns))


async def _measure_rebuild(redis_url: str, database_url: str, campaigns: int) -> Rebuild:
    await migrate(database_url)
    settings = settings_of(redis_url, database_url)
    pool, valkey = await open_pool(settings), Valkey(settings)
    await _fill(pool, campaigns)
    heart, keeping = Heart(pool, valkey), Keeping(pool, valkey)
    for _ in range(2):
        await pool.execute("UPDATE pool_state SET beaten_at = 'epoch'")
        state = await heart.beat()
    assert state is not None
    await keeping.round(state)
    await valkey.call("FLUSHALL")
    await pool.execute("UPDATE pool_state SET beaten_at = 'epoch'")
    times_s = [time.monotonic()]
    state = await heart.beat()
    assert state is not None
    times_s.append(time.monotonic())
    tally = await keeping.round(state)
    times_s.append(time.monotonic())
    assert tally.loaded == campaigns
    await keeping.round(state)
    times_s.append(time.monotonic())
    await valkey.aclose()
    await pool.close()
    noticed_s, built_s, round_s = (after - before for before, after in pairwise(times_s))
    return Rebuild(campaigns, noticed_s, built_s, round_s)


async def _fill(pool: asyncpg.Pool, campaigns: int) -> None:
    await pool.execute(
        "INSERT INTO campaigns (id, status, document, timezone)"
        " SELECT 'cmp_' || n, 'active', '{}', 'Asia/Shanghai' FROM generate_series(1, $1::integer) AS n",
        campaigns,
    )
    await pool.execute(
        "INSERT INTO campaign_slices (campaign_id, day, slice, granted)"
        " SELECT id, (now() AT TIME ZONE timezone)::date, 0, 1000000 FROM campaigns"
    )
    await pool.execute("ANALYZE campaigns, campaign_slices")


@contextmanager
def _valkey(folder: Path) -> Iterator[ValkeyServer]:
    folder.mkdir(exist_ok=True)
    server = ValkeyServer(folder / "valkey", socket_folder(private_folder(folder)), folder / "valkey.log")
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    server = Postgres(folder / "postgres", socket_folder(private_folder(folder)), folder / "postgres.log", durable=True)
    server.start()
    try:
        server.wait_ready()
        yield server.url("postgres")
    finally:
        server.stop()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _show(console: Console, costs: Sequence[Cost], rebuilds: Sequence[Rebuild]) -> None:
    table = Table(title="CPU of a reservation with its confirmation, µs", title_justify="left")
    for column in ("what", "at once", "Valkey", "gateway", "per Valkey core and second"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for cost in costs:
        table.add_row(
            cost.what,
            str(cost.at_once),
            f"{cost.valkey_us:.1f}",
            f"{cost.gateway_us:.1f}",
            f"{cost.per_valkey_core_s:,}",
        )
    console.print(table)
    for rebuild in rebuilds:
        console.print(
            f"{rebuild.campaigns:,} campaigns: loss noticed in {1000 * rebuild.noticed_s:.0f} ms, built in "
            f"{1000 * rebuild.built_s:.0f} ms, a round takes {1000 * rebuild.round_s:.0f} ms"
        )
    reached = next(cost.per_valkey_core_s for cost in costs if cost.at_once == TARGET_AT_ONCE)
    mark = "[green]✓[/green]" if reached >= TARGET_PER_S else "[red]✗[/red]"
    console.print(
        f"{mark} {reached:,} reservations a second on one Valkey core, {TARGET_AT_ONCE} at once, "
        f"at least {TARGET_PER_S:,} asked"
    )


if __name__ == "__main__":
    typer.run(main)
