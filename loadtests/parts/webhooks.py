"""`make bench-webhooks`: how fast queued webhooks drain to one receiver, at what cost, and whether every one arrives.

The worker sleeps (SIGSTOP) while payments are taken through the API; then it wakes and drains what has queued up.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import httpx
import typer

from gateway.processes.sockets import listen, port_of
from loadtests.processes import cpu_us, machine_busy_us
from loadtests.stack import RunningStack, StackTrouble, own_stack
from loadtests.traffic.generators import Load, start_generator
from loadtests.traffic.orders import new_run_number

TARGET_PER_S: Final = 500
_OPEN: Final = 64
_DRAIN_S: Final = 300.0
_POLL_S: Final = 0.1
_WAITING: Final = "SELECT (SELECT count(*) FROM webhook_outbox) + (SELECT count(*) FROM webhook_queue)"
_TOLD: Final = "SELECT id FROM events WHERE merchant_id = $1 AND id IS NOT NULL AND at >= $2"
_SUCCEEDED: Final = "SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = $1 AND status = 'succeeded'"
_OPEN_PAYMENTS: Final = "SELECT count(*) FROM payments WHERE status = 'processing'"


@dataclass(frozen=True, slots=True)
class Drained:
    """What was measured: between the worker's waking and the last message, and of the books afterwards."""

    events: int
    seconds: float
    cpu_us: dict[str, int]
    others_us: int
    problems: tuple[str, ...]
    repeated: int


def main(
    events: Annotated[int, typer.Option(min=10, help="How many to queue, at least.")] = 10_000,
) -> None:
    """Queue, drain, check; ends with status 1 where an event is missing or a signature wrong."""
    with own_stack() as stack, _receiver() as (receiver_url, receiver_pid):
        drained = asyncio.run(_measure(stack, receiver_url, receiver_pid, events))
    _show(drained)
    if drained.problems:
        raise typer.Exit(1)


@contextmanager
def _receiver() -> Iterator[tuple[str, int]]:
    listener = listen(0)
    command = [sys.executable, "-m", "loadtests.parts.receiver", "--fd", str(listener.fileno())]
    process = subprocess.Popen(command, pass_fds=[listener.fileno()])
    url = f"http://127.0.0.1:{port_of(listener)}"
    listener.close()
    try:
        yield url, process.pid
    finally:
        process.kill()
        process.wait()


async def _measure(stack: RunningStack, receiver_url: str, receiver_pid: int, events: int) -> Drained:
    database = await asyncpg.connect(stack.ready.database_url)
    worker = stack.ready.processes.worker[0]
    try:
        began = await database.fetchval("SELECT now()")
        endpoint = await asyncio.to_thread(_register, stack, receiver_url)
        os.kill(worker, signal.SIGSTOP)
        await _queue(stack, database, events)
        told = {row["id"] for row in await database.fetch(_TOLD, stack.ready.merchant.id, began)}
        groups = {**stack.process_groups, "receiver": [receiver_pid]}
        before, busy_before_us, woken_s = cpu_us(groups), machine_busy_us(), time.monotonic()
        os.kill(worker, signal.SIGCONT)
        await _until_none(database, _WAITING)
        used = {name: after - before[name] for name, after in cpu_us(groups).items()}
        others_us = max(0, machine_busy_us() - busy_before_us - sum(used.values()))
        report = await asyncio.to_thread(_report, receiver_url)
        problems = [*_compare(told, report), *await _unfinished(database, endpoint["id"], len(told))]
        repeated = sum(times - 1 for times in report["times"].values())
        return Drained(len(told), report["last_s"] - woken_s, used, others_us, tuple(problems), repeated)
    finally:
        os.kill(worker, signal.SIGCONT)
        await database.close()


def _register(stack: RunningStack, receiver_url: str) -> Any:
    answer = httpx.post(
        f"{stack.ready.gateway}/v1/webhook_endpoints",
        json={"url": f"{receiver_url}/hook"},
        headers={"Authorization": f"Bearer {stack.ready.merchant.api_key}"},
        trust_env=False,
    )
    endpoint = answer.raise_for_status().json()
    httpx.put(f"{receiver_url}/secret", content=endpoint["secret"], trust_env=False).raise_for_status()
    return endpoint


def _report(receiver_url: str) -> Any:
    return httpx.get(f"{receiver_url}/report", trust_env=False).json()


async def _queue(stack: RunningStack, database: asyncpg.Connection, events: int) -> None:
    """Take payments until so many events wait."""
    load = Load(
        url=f"{stack.ready.gateway}/v1/payments", key=stack.ready.merchant.api_key, wallet="wechat",
        open_requests=_OPEN, seconds=_DRAIN_S, warm_up_s=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mashang-samples-") as folder:
        generator = start_generator(load, new_run_number(), Path(folder) / "samples")
        try:
            while await database.fetchval(_WAITING) < events:
                if generator.poll() is not None:
                    raise StackTrouble("the payments ended before enough events were queued")
                await asyncio.sleep(_POLL_S)
        finally:
            generator.terminate()
            generator.wait()
    await _until_none(database, _OPEN_PAYMENTS)


async def _until_none(database: asyncpg.Connection, counted: str) -> None:
    deadline = time.monotonic() + _DRAIN_S
    while left := await database.fetchval(counted):
        if time.monotonic() > deadline:
            raise StackTrouble(f"{left} are left: {counted}")
        await asyncio.sleep(_POLL_S)


def _compare(told: set[str], report: Any) -> Iterator[str]:
    """What the receiver's book says against ours."""
    if missing := told - report["times"].keys():
        yield f"{len(missing)} events never arrived"
    if strange := report["times"].keys() - told:
        yield f"{len(strange)} messages are of no event"
    if report["refused"]:
        yield f"{report['refused']} messages had a wrong signature"


async def _unfinished(database: asyncpg.Connection, endpoint_id: str, events: int) -> list[str]:
    succeeded = await database.fetchval(_SUCCEEDED, endpoint_id)
    return [] if succeeded == events else [f"{succeeded} of {events} deliveries are booked as succeeded"]


def _show(drained: Drained) -> None:
    per_s = drained.events / drained.seconds
    cores = os.cpu_count() or 1
    print(f"{drained.events} events in {drained.seconds:.1f} s: {per_s:.0f}/s (target {TARGET_PER_S}/s)")
    for name, used in drained.cpu_us.items():
        print(f"  {name:10} {used / drained.events:6.0f} µs of CPU a delivery")
    share = drained.others_us / 1_000_000 / drained.seconds / cores
    print(f"  others used {share:.0%} of the machine's {cores} cores meanwhile")
    print(f"  sent more than once: {drained.repeated}")
    print("\n".join(drained.problems) or "every event arrived, signed right, and is booked as delivered")


if __name__ == "__main__":
    typer.run(main)
