"""Measures what the simulation and the plan start from, on a stack of its own, and writes measured.json."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg
import orjson

from loadtests.bench import document
from loadtests.bench.campaign_sets import InForce, campaign_sets
from loadtests.bench.measure import Measurement, measure
from loadtests.bench.rule_sets import rule_sets
from loadtests.bench.signatures import measure_signatures
from loadtests.capacity.readings import Reading, difference, read_all, read_hops, switches, total
from loadtests.processes import cpu_us
from loadtests.stack import LATENCY_MS, RunningStack, StackTrouble, own_stack
from loadtests.traffic.generators import Load, start_generator
from loadtests.traffic.orders import new_run_number

OPENS: Final = (1, 2, 8, 16, 32, 64, 128, 256, 512)
"""Requests open at once, from a lone till to far past what the node carries."""
_WARM_UP_S: Final = 1.5
_PAYMENTS_MIN: Final = 150
_IDLE_S: Final = 5.0
_HOPS_OPEN: Final = 128
_COMMITS: Final = 200
_NOBODY_REFUSED: Final = (
    "MASHANG_PAYMENTS_IN_FLIGHT_MAX",
    "MASHANG_ADMISSION_BEGINNING_MIN",
    "MASHANG_ADMISSION_BEGINNING_MAX",
    "MASHANG_ADMISSION_BEGINNING_FIRST",
)
"""The simulation has no admission control: here too everybody is let in, however long it takes."""
_ALONE_S: Final = 0.1
"""What a payment alone takes, roughly: few requests open need longer to bring enough payments."""

Say = Callable[[str], None]


def measure_all(seconds: float, rounds: int, say: Say) -> dict[str, Any]:
    """The whole document (measured.json), with everything in force: 1,000 rules, 100 campaigns, WeChat bar codes.

    Raises StackTrouble where the books disagree after it.
    """
    with ExitStack() as held:
        stack = held.enter_context(own_stack(environment=dict.fromkeys(_NOBODY_REFUSED, "4096")))
        campaigns, rules = held.enter_context(campaign_sets(stack.ready)), held.enter_context(rule_sets(stack.ready))
        book = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="mashang-book-"))) / "book.jsonl"
        stack.set_latency()
        campaigns.put_in_force(InForce.HUNDRED)
        rules.put_in_force(rules=True)
        commit_ms, signature = asyncio.run(_commit_ms(stack)), measure_signatures(_key(stack))
        idle = _idle(stack)
        before = asyncio.run(read_all(stack))
        curve = _curve(stack, seconds, rounds, book, say)
        per_payment = _per_payment(stack, seconds, book, difference(asyncio.run(read_all(stack)), before))
        passed, found = stack.audit(book)
    if not passed:
        raise StackTrouble(f"the books disagree, so nothing is told:\n{found}")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "revision": document.revision_in_words(document.revision()),
        "machine": _machine(),
        "conditions": {"wallet": "wechat", "rules": 1000, "campaigns": 100, "channel_ms": LATENCY_MS,
                       "seconds": seconds, "rounds": rounds, "gateway_processes": 1},
        "commit_ms": commit_ms,
        "signature_us": {"sign": signature.sign_us, "verify": signature.verify_us},
        "idle_us_per_s": idle,
        "curve": curve,
        "per_payment": per_payment,
        "audit_passed": passed,
    }  # fmt: skip


def write_measured(path: Path, taken: dict[str, Any]) -> None:
    """Write it as it is checked in."""
    path.write_bytes(orjson.dumps(_rounded(taken), option=orjson.OPT_INDENT_2) + b"\n")


@dataclass(slots=True)
class _Point:
    """What one number of open requests brought, over all rounds."""

    measurement: Measurement
    read: Reading = field(default_factory=dict)
    switched: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: _Point) -> _Point:
        return _Point(
            self.measurement + other.measurement,
            {name: value + other.read.get(name, 0.0) for name, value in self.read.items()},
            {name: value + other.switched[name] for name, value in self.switched.items()},
        )


def _curve(stack: RunningStack, seconds: float, rounds: int, book: Path, say: Say) -> list[dict[str, Any]]:
    points: dict[int, _Point] = {}
    for _ in range(rounds):
        for open_requests in OPENS:
            counted_s = max(seconds, _PAYMENTS_MIN * _ALONE_S / open_requests)
            point = _measure_point(stack, _load(stack, open_requests, counted_s, book))
            points[open_requests] = points[open_requests] + point if open_requests in points else point
            figures = point.measurement.figures
            say(f"{open_requests} open: {figures.per_second:.0f}/s, p50 {figures.percentile_ms(50):.0f} ms")
    return [_as_json(open_requests, point) for open_requests, point in points.items()]


def _measure_point(stack: RunningStack, load: Load) -> _Point:
    before: Reading = {}
    slept: dict[str, int] = {}

    def begin() -> None:
        before.update(asyncio.run(read_all(stack)))
        slept.update(switches(stack.process_groups))

    measured = measure(load, stack.process_groups, begin)
    woken = switches(stack.process_groups)
    return _Point(
        measured,
        difference(asyncio.run(read_all(stack)), before),
        {name: count - slept[name] for name, count in woken.items()},
    )


def _as_json(open_requests: int, point: _Point) -> dict[str, Any]:
    measured, read = point.measurement, point.read
    payments = read["payments"]
    kinds = [name.removeprefix("batches.") for name, count in read.items() if name.startswith("batches.") and count]
    return {
        "open": open_requests,
        "per_second": measured.figures.per_second,
        "completed": measured.figures.completed,
        "errors": {**measured.figures.errors, **measured.figures.refusals},
        "unsuccessful": {
            name.removeprefix("unsuccessful."): count
            for name, count in read.items()
            if name.startswith(("unsuccessful.", "refused.")) and count
        },
        "latency_ms": {f"p{percent}": measured.figures.percentile_ms(percent) for percent in (50, 90, 99)},
        "cpu_us_per_payment": measured.cpu_us_per_payment,
        "others_share": measured.others_share,
        "batches": {
            kind: {
                "rows_mean": read[f"rows.{kind}"] / read[f"batches.{kind}"],
                "rows_per_payment": read[f"rows.{kind}"] / payments,
                "ms_mean": 1000 * read[f"batch_s.{kind}"] / read[f"batches.{kind}"],
            }
            for kind in sorted(kinds)
        },
        "phase_ms_mean": {
            name.removeprefix("phases."): 1000 * read[name.replace("phases.", "phase_s.")] / count
            for name, count in read.items()
            if name.startswith("phases.") and count
        },
        "wake_ups_per_payment": {name: count / payments for name, count in point.switched.items()},
        "wal_fsyncs_per_payment": read["wal_fsyncs"] / payments,
        "valkey_script_us_per_payment": read["valkey_script_us"] / payments,
        "valkey_script_calls_per_payment": read["valkey_script_calls"] / payments,
    }


def _per_payment(stack: RunningStack, seconds: float, book: Path, curve: Reading) -> dict[str, Any]:
    """Bytes of a payment: WAL and storage over the whole curve, the ways between processes at 128 open requests."""
    with (
        tempfile.TemporaryDirectory(prefix="mashang-samples-") as folder,
        _running(_load(stack, _HOPS_OPEN, seconds + 2 * _WARM_UP_S, book), Path(folder)),
    ):
        before = {**asyncio.run(read_all(stack)), **read_hops(stack)}
        time.sleep(seconds)
        read = difference({**asyncio.run(read_all(stack)), **read_hops(stack)}, before)
    names = ("client_bytes", "channel_bytes", "valkey_bytes", "log_bytes", "gateway_bytes")
    client, channel, valkey, log, everything = (total(read, name) / read["payments"] for name in names)
    stored = ("wal_bytes", "wal_page_images", "database_bytes", "commits")
    return {
        **{name: curve[name] / curve["payments"] for name in stored},
        "log_bytes": log,
        "database_connections": before["connections"],
        "hops_bytes": {
            "till to gateway": client,
            "gateway to channel": channel,
            "gateway to Valkey": valkey,
            "gateway to PostgreSQL": everything - client - channel - valkey - log,
        },
    }


@contextmanager
def _running(load: Load, folder: Path) -> Iterator[None]:
    """Load that goes on while this is open: it has warmed up when the block begins."""
    generator = start_generator(load, new_run_number() % 10_000_000, folder / "samples")
    try:
        time.sleep(2 * _WARM_UP_S)
        yield
    finally:
        generator.wait()


def _idle(stack: RunningStack) -> dict[str, float]:
    """µs of CPU a second that each process uses while nobody pays."""
    time.sleep(1.0)
    from_s, before = time.monotonic(), cpu_us(stack.process_groups)
    time.sleep(_IDLE_S)
    seconds, after = time.monotonic() - from_s, cpu_us(stack.process_groups)
    return {name: (after[name] - before[name]) / seconds for name in before}


async def _commit_ms(stack: RunningStack) -> float:
    """What durability costs a commit: a small transaction that writes WAL, less a statement that writes nothing."""
    connection = await asyncpg.connect(stack.ready.database_url)
    try:
        writing = await _median_ms(connection, "SELECT pg_logical_emit_message(true, 'capacity', 'commit')")
        reading = await _median_ms(connection, "SELECT 'capacity'")
    finally:
        await connection.close()
    return max(0.0, writing - reading)


async def _median_ms(connection: asyncpg.Connection, statement: str) -> float:
    taken = []
    for _ in range(_COMMITS):
        began = time.perf_counter()
        await connection.fetchval(statement)
        taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def _load(stack: RunningStack, open_requests: int, seconds: float, book: Path) -> Load:
    url, key = f"{stack.ready.gateway}/v1/payments", stack.ready.merchant.api_key
    return Load(url, key, "wechat", open_requests, seconds, _WARM_UP_S, book)


def _key(stack: RunningStack) -> Path:
    return Path(stack.ready.simulators["wechat"]["merchant_private_key"])


def _machine() -> dict[str, object]:
    told = document.machine()
    return {"cpu": told["cpu"], "cores": told["cores"], "load_average": told["load_average"][0]}


def _rounded(value: Any) -> Any:
    """Four digits are more than any of these figures is good for."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value
