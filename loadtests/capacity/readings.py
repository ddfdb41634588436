"""Readings of a running stack between two moments: batches, bytes, fsyncs and wake-ups, from those who count them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import redis
from prometheus_client.parser import text_string_to_metric_families

from loadtests.stack import RunningStack

_COUNTED: Final = {
    "mashang_batch_rows_sum": ("rows", "batch"),
    "mashang_batch_rows_count": ("batches", "batch"),
    "mashang_batch_seconds_sum": ("batch_s", "batch"),
    "mashang_payments_total": ("payments", None),
    "mashang_refused_total": ("refused", "reason"),
    "mashang_payment_phase_seconds_sum": ("phase_s", "phase"),
    "mashang_payment_phase_seconds_count": ("phases", "phase"),
}
_STATEMENTS: Final = {
    "wal_bytes": "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8",
    "database_bytes": "SELECT pg_database_size(current_database())::float8",
    "commits": "SELECT sum(xact_commit)::float8 FROM pg_stat_database WHERE datname = current_database()",
    "connections": "SELECT count(*)::float8 FROM pg_stat_activity WHERE backend_type = 'client backend'",
    "wal_page_images": "SELECT wal_fpi::float8 FROM pg_stat_wal",
    "wal_fsyncs": "SELECT sum(fsyncs)::float8 FROM pg_stat_io WHERE object = 'wal'",
}

_SOCKET_BYTES: Final = re.compile(r"bytes_(?:acked|received):(\d+)")

Reading = dict[str, float]
"""Totals so far, by name; `rows.intent` is the total `rows` of the batch `intent`."""


async def read_all(stack: RunningStack) -> Reading:
    """Everything that is counted, now."""
    return {**_metrics(stack), **await _database(stack), **_valkey(stack), **_gateway_bytes(stack)}


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> Reading:
    """What was added between two readings."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}


def switches(groups: Mapping[str, Iterable[int]]) -> dict[str, int]:
    """How often the processes of each group went to sleep so far: each is a wake-up (proc(5), status)."""
    return {name: sum(_switches_of(pid) for root in roots for pid in _family(root)) for name, roots in groups.items()}


def _family(root: int) -> list[int]:
    """The process and its children (PostgreSQL's back-ends)."""
    children = Path(f"/proc/{root}/task/{root}/children")
    return [root, *(map(int, children.read_text().split()) if children.exists() else ())]


def _switches_of(pid: int) -> int:
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def _metrics(stack: RunningStack) -> Reading:
    return totals_of(httpx.get(f"{stack.ready.gateway}/metrics", trust_env=False, timeout=10).raise_for_status().text)


def totals_of(text: str) -> Reading:
    """The totals in what /metrics answers; payments that did not succeed also by status and wallet."""
    totals: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in _COUNTED:
                name, label = _COUNTED[sample.name]
                if name == "payments" and sample.labels["status"] != "succeeded":
                    totals[f"unsuccessful.{sample.labels['status']} {sample.labels['wallet']}"] += sample.value  # type: ignore[assignment]
                totals[name if label is None else f"{name}.{sample.labels[label]}"] += sample.value  # type: ignore[assignment]
    return dict(totals)


async def _database(stack: RunningStack) -> Reading:
    connection = await asyncpg.connect(stack.ready.database_url)
    try:
        return {name: float(await connection.fetchval(statement)) for name, statement in _STATEMENTS.items()}
    finally:
        await connection.close()


def _valkey(stack: RunningStack) -> Reading:
    client = redis.Redis.from_url(stack.ready.redis_url)
    try:
        told: Mapping[str, Any] = client.info()
        commands: Mapping[str, Any] = client.info("commandstats")
    finally:
        client.close()
    return {
        "valkey_bytes": float(told["total_net_input_bytes"] + told["total_net_output_bytes"]),
        "valkey_commands": float(told["total_commands_processed"]),
        "valkey_script_calls": float(sum(entry["calls"] for name, entry in commands.items() if "eval" in name)),
        "valkey_script_us": float(sum(entry["usec"] for name, entry in commands.items() if "eval" in name)),
    }


def _gateway_bytes(stack: RunningStack) -> Reading:
    """All that the gateway read and wrote (proc(5), io), on sockets and into its log."""
    total = 0
    for pid in stack.ready.processes.gateway:
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            if line.startswith(("rchar:", "wchar:")):
                total += int(line.split()[1])
    return {"gateway_bytes": float(total)}


def read_hops(stack: RunningStack) -> Reading:
    """Bytes so far logged, and on each open connection of tills and of channels, by peer: connections come and go."""
    channels = {simulator["base_url"] for simulator in stack.ready.simulators.values()}
    logs = [stack.state.parent / "dev.log", *stack.state.rglob("*.log")]
    return {
        **_sockets("client_bytes", stack.ready.gateway),
        **{name: value for url in channels for name, value in _sockets("channel_bytes", url).items()},
        "log_bytes": float(sum(log.stat().st_size for log in logs if log.exists())),
    }


def total(read: Mapping[str, float], name: str) -> float:
    """The sum over everything of that name."""
    return sum(value for part, value in read.items() if part.partition(" ")[0] == name)


def _sockets(name: str, url: str) -> Reading:
    """Both ways, from the kernel's TCP_INFO (ss(8))."""
    command = ["ss", "-tinHO", f"sport = :{urlsplit(url).port}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {f"{name} {line.split()[4]}": float(sum(map(int, _SOCKET_BYTES.findall(line)))) for line in lines}
