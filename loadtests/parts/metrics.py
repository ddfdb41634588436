"""`make bench-metrics`: what metrics cost a payment, and a scrape of two gateways and a worker, in CPU.

Three processes count into one folder as busy ones do, with six channel accounts, 400 rules and 400 campaigns that hit;
then this process scrapes the folder as a gateway does, and as prometheus_client would.  CPU of a process over its own
work: the best of many rounds, which is what it costs on this machine, and the median, which is what neighbours left.

No merchant is in a metric and a scrape asks no database, so that 100,000 merchants change nothing here; ARGS="--url
http://127.0.0.1:8000/metrics --pid PID --pid PID" measures scrapes of gateways that run, with whatever they hold.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Annotated, Any, Final

import httpx
import orjson
import typer
from rich.console import Console

from gateway.metrics.folder import VARIABLE
from loadtests.processes import cpu_us

TARGET_SHARE: Final = 0.03
TARGET_SCRAPE_MS: Final = 50.0
PAYMENT_US: Final = 1_050.0
"""CPU of a payment with everything in force (docs/benchmarks.md, P1)."""
_PROCESS: Final = "loadtests.parts.metrics_process"


@dataclass(frozen=True, slots=True)
class Scrapes:
    """ms of CPU for one, the best and the median; how many series and bytes it has."""

    what: str
    best_ms: float
    median_ms: float
    series: int
    size_bytes: int


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Rounds for each figure.")] = 20,
    url: Annotated[str | None, typer.Option(help="Scrape this address instead.")] = None,
    pid: Annotated[
        list[int] | None, typer.Option(help="With --url: a process that answers there; all of them.")
    ] = None,
    payment_us: Annotated[float, typer.Option(help="What a payment costs in all, µs.")] = PAYMENT_US,
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Measure, print, and write one JSON document."""
    console = Console()
    if url is not None:
        if not pid:
            raise typer.BadParameter("--url goes with --pid")
        _show(console, _scrapes_of(url, pid, rounds))
        return
    with tempfile.TemporaryDirectory() as name, _processes(Path(name), rounds) as costs:
        os.environ[VARIABLE] = name
        scrapes = [_ours(rounds), _theirs(Path(name), rounds)]
    per_payment_us = costs["payment_us"] + costs["flush_us"] / costs["payments_per_flush"]
    share = per_payment_us / payment_us
    console.print(
        f"A payment counts for {costs['payment_us']:.1f} µs (median {costs['payment_median_us']:.1f}), and its part of"
        f" a flush ({costs['flush_us']:.0f} µs for {costs['payments_per_flush']:.0f} payments) is"
        f" {per_payment_us - costs['payment_us']:.1f} µs: {share:.1%} of {payment_us:.0f} µs"
        f" (asked: ≤ {TARGET_SHARE:.0%})"
    )
    for each in scrapes:
        _show(console, each)
    at = datetime.now(UTC)
    document = {
        "time": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "targets": {"share": TARGET_SHARE, "scrape_ms": TARGET_SCRAPE_MS},
        "payment": {**costs, "payment_in_all_us": payment_us, "share": share},
        "scrapes": [asdict(each) for each in scrapes],
    }
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"metrics-{at:%Y%m%dT%H%M%SZ}.json"
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    console.print(f"Written to {path}")


@contextmanager
def _processes(folder: Path, rounds: int) -> Iterator[dict[str, float]]:
    """Two gateways and a worker that have counted, and live; what counting cost the first of them, alone."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        costs: dict[str, float] = {}
        for turns in (rounds, 0, 0):
            process = subprocess.Popen(
                [sys.executable, "-m", _PROCESS, str(turns)],
                env=os.environ | {VARIABLE: str(folder)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            running.append(process)
            assert process.stdout is not None
            told: dict[str, float] = orjson.loads(process.stdout.readline())
            costs = costs or told
        yield costs
    finally:
        for process in running:
            process.communicate()


def _ours(rounds: int) -> Scrapes:
    from gateway.metrics.exposition import Exposition  # noqa: PLC0415  after the folder is named

    exposition = Exposition()
    return _scrapes("a scrape of the folder", rounds, exposition.made_now)


def _theirs(folder: Path, rounds: int) -> Scrapes:
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return _scrapes("the same by prometheus_client, every name told", rounds, lambda: generate_latest(registry))


def _scrapes(what: str, rounds: int, scrape: Any) -> Scrapes:
    took_ms: list[float] = []
    text = scrape()
    for _ in range(rounds):
        began = process_time_ns()
        text = scrape()
        took_ms.append((process_time_ns() - began) / 1e6)
    return Scrapes(what, min(took_ms), median(took_ms), _series(text), len(text))


def _scrapes_of(url: str, pids: Sequence[int], rounds: int) -> Scrapes:
    """Of a gateway that runs; what it does beside them is in the figure."""
    took_ms: list[float] = []
    text = b""
    with httpx.Client(trust_env=False, timeout=10) as client:
        for _ in range(rounds):
            began = _cpu_us(pids)
            for _ in range(10):
                text = client.get(url).content
            took_ms.append((_cpu_us(pids) - began) / 10_000)
    return Scrapes(f"a scrape of {url}", min(took_ms), median(took_ms), _series(text), len(text))


def _cpu_us(pids: Sequence[int]) -> int:
    return cpu_us({"all": pids})["all"]


def _series(text: bytes) -> int:
    return sum(1 for line in text.splitlines() if line and not line.startswith(b"#"))


def _show(console: Console, each: Scrapes) -> None:
    console.print(
        f"{each.what}: {each.best_ms:.1f} ms of CPU (median {each.median_ms:.1f}; asked: ≤ {TARGET_SCRAPE_MS:.0f}),"
        f" {each.series:,} series, {each.size_bytes / 1_000:.0f} kB"
    )


if __name__ == "__main__":
    typer.run(main)
