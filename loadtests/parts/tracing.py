"""What tracing costs a payment in CPU: `python -m loadtests.parts.tracing`, rounds with it and without it in turn.

Two stacks stand side by side, the one traced, the other not; each pair of rounds loads both one after the other, and
the next pair the other way round.  The collector is a thread of this process that reads and forgets: what it costs is
not counted, what sending costs the gateway is.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any, Final

import httpx
import typer
from rich.console import Console
from rich.table import Table

from loadtests.bench.measure import measure
from loadtests.stack import RunningStack, own_stack
from loadtests.traffic.generators import Load

_EXPORTED: Final = 'mashang_trace_spans_total{result="exported"}'
_console = Console()


@dataclass(slots=True)
class Costs:
    """µs of the gateway's CPU per payment, one figure a round."""

    off: list[float] = field(default_factory=list)
    on: list[float] = field(default_factory=list)

    @property
    def added(self) -> list[float]:
        """What tracing added in each pair of rounds, as a share of the payment without it."""
        return [on / off - 1 for off, on in zip(self.off, self.on, strict=True)]


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of rounds.")] = 6,
    seconds: Annotated[float, typer.Option(min=1, help="Counted seconds of each round.")] = 10.0,
    share: Annotated[float, typer.Option(min=0, max=1, help="MASHANG_TRACING_SAMPLE of the traced stack.")] = 0.01,
    open_requests: Annotated[int, typer.Option(min=1, help="Payments that are open at once.")] = 128,
) -> None:
    """Print each pair and the median of what tracing added."""
    costs = Costs()
    with collecting() as url, own_stack() as off, own_stack(environment=_traced(url, share)) as on:
        off.set_latency()
        on.set_latency()
        for number in range(rounds):
            for is_on in (False, True) if number % 2 == 0 else (True, False):
                stack, taken = (on, costs.on) if is_on else (off, costs.off)
                taken.append(_gateway_us(stack, seconds, open_requests))
            _console.print(f"{costs.off[-1]:.0f} µs without, {costs.on[-1]:.0f} µs with: {costs.added[-1]:+.1%}")
        _show(costs, share, _exported(on))


def _traced(url: str, share: float) -> dict[str, str]:
    return {"MASHANG_TRACING_ENDPOINT": url, "MASHANG_TRACING_SAMPLE": str(share)}


def _gateway_us(stack: RunningStack, seconds: float, open_requests: int) -> float:
    load = Load(
        url=f"{stack.ready.gateway}/v1/payments",
        key=stack.ready.merchant.api_key,
        wallet="wechat",
        open_requests=open_requests,
        seconds=seconds,
        warm_up_s=2,
    )
    return measure(load, stack.process_groups).cpu_us_per_payment["gateway"]


def _exported(stack: RunningStack) -> float:
    """The spans that the collector took from gateway and worker."""
    lines = (
        httpx.get(f"{stack.ready.gateway}/metrics", trust_env=False, timeout=10).raise_for_status().text.splitlines()
    )
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(_EXPORTED))


def _show(costs: Costs, share: float, exported: float) -> None:
    table = Table(title=f"CPU of the gateway per payment, {share:.0%} of the requests traced")
    for name in ("", "median", "least", "most"):
        table.add_column(name, justify="right")
    for name, figures in (("without", costs.off), ("with", costs.on)):
        table.add_row(name, *(f"{pick(figures):.0f} µs" for pick in (statistics.median, min, max)))
    table.add_row("added", *(f"{pick(costs.added):+.1%}" for pick in (statistics.median, min, max)))
    _console.print(table, f"{exported:.0f} spans were exported.")


@contextmanager
def collecting() -> Iterator[str]:
    """The address of a collector that takes everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody asks."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    typer.run(main)
