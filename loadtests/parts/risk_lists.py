"""`make bench-risk-lists`: ten million entries: import, lookups, memory, and the longest pause of the event loop.

One process plays the gateway: it imports into a list (what the admin API does with each batch), holds every list, and
follows changes as the gateway does, its garbage collector set as there.  A ticker on its event loop sleeps for a
millisecond again and again: what it is late by is a pause.  On a machine that others use that is also their doing, so
the CPU that the loop's thread has spent from one tick to the next is told beside it: it was held no longer than that.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import random
import resource
import statistics
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeVar

import asyncpg
import orjson
import psutil
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from gateway.database.migrate import migrate
from gateway.database.pool import Connection, open_pool
from gateway.database.revision import RevisionWatch
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.postgres import Postgres
from gateway.kernel.secrets import Vault
from loadtests.parts.pool import settings_of
from risk.facts import CodeType, Facts
from risk.lists.book import ListBook, Lists
from risk.lists.entry import Entry, Hasher, Value, hash_of_hex, value_of
from risk.lists.importing import BATCH_MAX, Import, Mode, Status, add_batch, begin_import, finish_some
from risk.lists.keeping import ListRow, entries_of, hold, put_entries

PAUSE_MS_MAX: Final = 5.0
EFFECTIVE_S_MAX: Final = 1.0
_LIST: Final = "block"
_REALM: Final = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
_GC_THRESHOLDS: Final = (20_000, 20, 50)
"""The gateway's own (gateway/app.py)."""
_TICK_S: Final = 0.001
_LOOKUPS: Final = 200_000
_Sought = TypeVar("_Sought")
_SINGLES: Final = 10
"""Entries that are put on the long list one by one."""
_NETWORKS: Final = ("198.51.100.0/24", "203.0.113.0/28", "100.64.0.0/16")


@dataclass(frozen=True, slots=True)
class Pause:
    """How late a tick came at most, and the most CPU that the loop's thread spent from one tick to the next."""

    late_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one call in µs: the best of many rounds, and the median, which is what neighbours left of it."""

    best_us: float
    median_us: float


@dataclass(slots=True)
class Outcome:
    """What was measured."""

    entries: int
    rates_per_s: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    pauses: dict[str, Pause] = field(default_factory=dict)
    lookups_us: dict[str, Cost] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)


def main(
    entries: Annotated[int, typer.Option(min=10_000, max=10_000_000, help="So many stand on the list.")] = 10_000_000,
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Measure, print tables, and write one JSON document."""
    gc.set_threshold(*_GC_THRESHOLDS)
    with tempfile.TemporaryDirectory() as folder, _postgres(Path(folder)) as url:
        outcome = uvloop.run(_measure(url, entries))
    _show(Console(), outcome)
    at = datetime.now(UTC)
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"risk-lists-{at:%Y%m%dT%H%M%SZ}.json"
    document = {
        "time": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "target": {"pause_ms_at_most": PAUSE_MS_MAX, "effective_s_at_most": EFFECTIVE_S_MAX},
        **asdict(outcome),
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    Console().print(f"Written to {path}")


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    folder = private_folder(folder / "risk-lists")
    server = Postgres(folder / "postgres", socket_folder(folder), folder / "postgres.log")
    server.start()
    try:
        server.wait_ready()
        yield server.url("postgres")
    finally:
        server.stop()


class Ticker:
    """The longest pauses of the event loop since they were last asked for."""

    def __init__(self) -> None:
        self._late_s = self._cpu_s = 0.0

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            due_s, cpu_s = time.perf_counter() + _TICK_S, time.thread_time()
            await asyncio.sleep(_TICK_S)
            self._late_s = max(self._late_s, time.perf_counter() - due_s)
            self._cpu_s = max(self._cpu_s, time.thread_time() - cpu_s)

    async def settled(self) -> None:
        """Begin anew, once what the benchmark itself has just done is over."""
        await asyncio.sleep(10 * _TICK_S)
        self.taken()

    def taken(self) -> Pause:
        """And begin anew."""
        pause = Pause(self._late_s * 1e3, self._cpu_s * 1e3)
        self._late_s = self._cpu_s = 0.0
        return pause


@dataclass(frozen=True, slots=True)
class Gateway:
    """What of it has to do with lists."""

    pool: asyncpg.Pool
    vault: Vault
    hasher: Hasher
    book: ListBook
    ticker: Ticker

    async def with_list(self, work: Callable[[Connection, ListRow], Awaitable[Import]]) -> Import:
        """One request: the list is held in a transaction of its own."""
        async with self.pool.acquire() as connection, connection.transaction():
            held = await hold(connection, _LIST)
            assert held is not None
            return await work(connection, held)


@asynccontextmanager
async def _gateway(url: str) -> AsyncIterator[Gateway]:
    await migrate(url)
    vault, ticker = Vault(bytes(32)), Ticker()
    pool = await open_pool(settings_of("redis://127.0.0.1:1", url))
    book = ListBook(pool, vault)
    await book.load()
    watch = RevisionWatch(pool, [book.reload])
    loops = [asyncio.create_task(loop) for loop in (ticker.run(), watch.run())]
    try:
        yield Gateway(pool, vault, Hasher(vault), book, ticker)
    finally:
        for loop in loops:
            loop.cancel()
        await book.aclose()
        await asyncio.gather(*loops, return_exceptions=True)
        await pool.close()


async def _measure(url: str, entries: int) -> Outcome:
    outcome = Outcome(entries)
    async with _gateway(url) as gateway:
        gc.collect()
        gc.freeze()
        for _ in range(3):  # how late a loop is that has nothing to do, on this machine
            await asyncio.sleep(1.0)
            outcome.pauses["idle"] = gateway.ticker.taken()
        before_mb = _resident_mb()
        await gateway.ticker.settled()
        await _import(gateway, outcome, entries)
        outcome.memory_mb["resident, more than before"] = _resident_mb() - before_mb
        outcome.memory_mb["arrays"] = _arrays_mb(gateway.book)
        outcome.memory_mb["peak resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        await gateway.ticker.settled()
        await _change_one(gateway, outcome)
        await _reload_all(gateway, outcome)
        outcome.memory_mb["resident after a second load, more than before"] = _resident_mb() - before_mb
        _look_up(gateway, outcome, entries)
    return outcome


async def _import(gateway: Gateway, outcome: Outcome, entries: int) -> None:
    """Batches, compiling, and until this process has fetched it."""
    begun_s = time.perf_counter()
    import_ = await gateway.with_list(
        lambda connection, held: begin_import(connection, held, Mode.REPLACE, person="bench", reason="of the benchmark")
    )
    number = 0
    customers = entries - len(_NETWORKS) - _SINGLES
    for number, at in enumerate(range(0, customers, BATCH_MAX), 1):
        batch = await entries_of(gateway.hasher, _values(at, min(at + BATCH_MAX, customers)))
        import_ = await gateway.with_list(_batch(gateway, import_, number, batch))
    networks = [(value_of("ip", each, None), None, None) for each in _NETWORKS]
    batch = await entries_of(gateway.hasher, networks)
    import_ = await gateway.with_list(_batch(gateway, import_, number + 1, batch))
    written_s = time.perf_counter() - begun_s
    outcome.seconds["batches"], outcome.rates_per_s["batches"] = written_s, entries / written_s
    outcome.pauses["batches"] = gateway.ticker.taken()
    while import_.status is not Status.DONE:
        import_ = await gateway.with_list(_step(import_))
    done_s = time.perf_counter() - begun_s
    outcome.seconds["compiling"], outcome.rates_per_s["whole import"] = done_s - written_s, entries / done_s
    outcome.pauses["compiling"] = gateway.ticker.taken()
    await _until(lambda: gateway.book.current.by_name[_LIST].edition == import_.edition)
    outcome.seconds["until in force in a process"] = time.perf_counter() - begun_s - done_s
    outcome.pauses["fetching it"] = gateway.ticker.taken()


def _batch(
    gateway: Gateway, import_: Import, number: int, entries: list[Entry]
) -> Callable[[Connection, ListRow], Awaitable[Import]]:
    return lambda connection, _: add_batch(connection, gateway.vault, import_, number=number, entries=entries)


def _step(import_: Import) -> Callable[[Connection, ListRow], Awaitable[Import]]:
    return lambda connection, _: finish_some(connection, import_)


def _values(first: int, end: int) -> Iterator[tuple[Value, datetime | None, str | None]]:
    """Customers; every other one expires at some time."""
    soon = datetime(2030, 1, 1, tzinfo=UTC)
    for number in range(first, end):
        expires_at = soon + timedelta(minutes=number % 10_000) if number % 2 else None
        yield value_of("customer", f"c-{number}", _REALM), expires_at, None


async def _change_one(gateway: Gateway, outcome: Outcome) -> None:
    """One entry is put on the long list: how long until this process knows."""
    took_s = [await _effective_s(gateway, f"one-{number}") for number in range(_SINGLES)]
    outcome.seconds["one entry, until known (most)"] = max(took_s)
    outcome.seconds["one entry, until known (median)"] = statistics.median(took_s)
    outcome.pauses["one entry"] = gateway.ticker.taken()


async def _effective_s(gateway: Gateway, customer: str) -> float:
    value = value_of("customer", customer, _REALM)
    entry = Entry("customer", gateway.hasher.of(value), value)
    begun_s = time.perf_counter()
    async with gateway.pool.acquire() as connection, connection.transaction():
        held = await hold(connection, _LIST)
        assert held is not None
        await put_entries(connection, gateway.vault, held, [entry], person=None, reason="bench")
    keyed = gateway.vault.keyed_hash(f"{_REALM}\n{customer}".encode()).hex()
    now = datetime.now(UTC)
    await _until(lambda: bool(gateway.book.current.listed(_LIST, "customer", keyed, now)))
    return time.perf_counter() - begun_s


async def _reload_all(gateway: Gateway, outcome: Outcome) -> None:
    """A second book fetches everything while payments look up: what the loop of a process that starts sees."""
    book = ListBook(gateway.pool, gateway.vault)
    await gateway.ticker.settled()
    begun_s = time.perf_counter()
    await book.load()
    outcome.seconds["fetching all of it"] = time.perf_counter() - begun_s
    outcome.pauses["fetching all of it"] = gateway.ticker.taken()


def _look_up(gateway: Gateway, outcome: Outcome, entries: int) -> None:
    """CPU of a lookup, with what it takes to make 64 bits of what a payment names."""
    random.seed(1)
    now = datetime.now(UTC)
    known = [_facts(gateway.vault, f"c-{random.randrange(entries // 2)}", now) for _ in range(10_000)]
    strangers = [_facts(gateway.vault, f"x-{number}", now) for number in range(10_000)]
    lists = gateway.book.current
    calls = {
        "a customer": [("a", _LIST, "customer")],
        "an address, three lengths of ranges": [("a", _LIST, "ip")],
        "customer, device, ip, card, merchant on three lists": [
            (f"{name}/{each}", name, each)
            for name in ("block", "allow", "watch")
            for each in ("customer", "device", "ip", "card", "merchant")
        ],
    }
    table = lists.by_name[_LIST].tables["customer"]
    for who, payments in (("listed", known), ("not listed", strangers)):
        hashes = [hash_of_hex(str(facts.customer)) for facts in payments]
        outcome.lookups_us[f"the bisection alone, {who}"] = _cost(hashes, lambda sought: table.holds(sought, 0.0))
    assert all(lists.values_of_listed(calls["a customer"], facts, now)["a"] for facts in known)
    assert not any(lists.values_of_listed(calls["a customer"], facts, now)["a"] for facts in strangers)
    for what, listed in calls.items():
        for who, payments in (("listed", known), ("not listed", strangers)):
            look_up = partial(_values_of, lists, listed, now)
            outcome.lookups_us[f"{what}, {who}"] = _cost(payments, look_up)


def _facts(vault: Vault, customer: str, at: datetime) -> Facts:
    return Facts(
        merchant_id=_REALM,
        order_key=f"{_REALM}\n{customer}",
        amount_fen=100,
        method="barcode",
        code_type=CodeType.BARCODE,
        at=at,
        timezone="Asia/Shanghai",
        customer=vault.keyed_hash(f"{_REALM}\n{customer}".encode()).hex(),
        device=vault.keyed_hash(f"{_REALM}\nd-{customer}".encode()).hex(),
        ip=f"203.0.113.{random.randrange(256)}",
        card_bin="62220212",
    )


def _values_of(lists: Lists, listed: list[tuple[str, str, str]], now: datetime, facts: Facts) -> object:
    return lists.values_of_listed(listed, facts, now)


def _cost(sought: list[_Sought], look_up: Callable[[_Sought], object]) -> Cost:
    costs_us = []
    for _ in range(_LOOKUPS // len(sought)):
        before_ns = time.thread_time_ns()
        for each in sought:
            look_up(each)
        costs_us.append((time.thread_time_ns() - before_ns) / 1_000 / len(sought))
    return Cost(min(costs_us), statistics.median(costs_us))


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(600):
        while not holds():  # noqa: ASYNC110  what is waited for is what payments see
            await asyncio.sleep(0.002)


def _resident_mb() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1e6


def _arrays_mb(book: ListBook) -> float:
    arrays: Iterator[array[int] | None] = (
        numbers
        for in_force in book.current.by_name.values()
        for table in in_force.tables.values()
        for part in table.parts
        if part is not None
        for numbers in part
    )
    return sum(len(numbers) * numbers.itemsize for numbers in arrays if numbers is not None) / 1e6


def _show(console: Console, outcome: Outcome) -> None:
    table = Table(title=f"{outcome.entries:,} entries", title_justify="left")
    table.add_column("what")
    table.add_column("measured", justify="right")
    for what, rate in outcome.rates_per_s.items():
        table.add_row(what, f"{rate:,.0f} entries/s")
    for what, seconds in outcome.seconds.items():
        table.add_row(what, f"{seconds:.2f} s")
    for what, us in outcome.lookups_us.items():
        table.add_row(what, f"{us.best_us:.2f} µs (median {us.median_us:.2f})")
    for what, mb in outcome.memory_mb.items():
        table.add_row(what, f"{mb:.0f} MB")
    for what, pause in outcome.pauses.items():
        table.add_row(f"longest pause, {what}", f"{pause.late_ms:.1f} ms (CPU {pause.cpu_ms:.1f} ms)")
    console.print(table)
    working = [pause for what, pause in outcome.pauses.items() if what != "idle"]
    late_ms, cpu_ms = max(pause.late_ms for pause in working), max(pause.cpu_ms for pause in working)
    mark = "[green]✓[/green]" if cpu_ms <= PAUSE_MS_MAX else "[red]✗[/red]"
    console.print(
        f"{mark} the event loop was held for {cpu_ms:.1f} ms by its own work, at most {PAUSE_MS_MAX:.0f} asked; a tick"
        f" came {late_ms:.1f} ms late (idle: {outcome.pauses['idle'].late_ms:.1f} ms)"
    )
    effective_s = outcome.seconds["one entry, until known (most)"]
    mark = "[green]✓[/green]" if effective_s <= EFFECTIVE_S_MAX else "[red]✗[/red]"
    console.print(f"{mark} a changed entry is known after {effective_s:.2f} s, at most {EFFECTIVE_S_MAX:.0f} asked")


if __name__ == "__main__":
    typer.run(main)
