"""How soon a published rule set is in force in every process, and who notices: `python -m …parts.risk_publishing`.

A stack of its own with two gateway processes takes 1,000 rules and then 100,000, saved and published over the admin
API.  Meanwhile somebody asks for /livez again and again: how long that took before, and while the set was taken over.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Annotated, Final

import httpx
import orjson
import typer
from rich.console import Console

from loadtests.stack import RunningStack, own_stack
from loadtests.traffic.risk_rules import document_of

_VERSION: Final = re.compile(r"^mashang_risk_rule_set_version (\d+)", re.MULTILINE)
_POLL_S: Final = 0.1
_ASKS_EVERY_S: Final = 0.002
_FORCE_S_MAX: Final = 120.0
_QUIET_POLLS: Final = 30
"""A look at the metrics takes a process its time, too: there are as many as later on."""


@dataclass(frozen=True, slots=True)
class Published:
    """Seconds; latencies in ms, before anything and from the publish until it was in force."""

    rules: int
    saved_s: float
    in_force_s: float
    quiet_p99_ms: float
    quiet_max_ms: float
    meanwhile_p99_ms: float
    meanwhile_max_ms: float


@dataclass(slots=True)
class _Asking:
    """Asks for /livez until told to stop."""

    url: str
    stopped: threading.Event = field(default_factory=threading.Event)
    took_ms: list[float] = field(default_factory=list)

    def run(self) -> None:
        """In a thread."""
        with httpx.Client(trust_env=False) as client:
            while not self.stopped.wait(_ASKS_EVERY_S):
                began = time.perf_counter()
                client.get(f"{self.url}/livez").raise_for_status()
                self.took_ms.append((time.perf_counter() - began) * 1e3)

    @contextmanager
    def noted(self) -> Iterator[list[float]]:
        """What was asked for while this is open."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self.took_ms
        finally:
            self.stopped.set()
            thread.join()


def main(
    sizes: Annotated[list[int] | None, typer.Option("--rules", help="How many rules; may be repeated.")] = None,
) -> None:
    """Measure, and print each as JSON."""
    with own_stack(workers=2) as stack:
        for rules in sizes or [1_000, 100_000]:
            Console().print_json(orjson.dumps(asdict(_published(stack, rules))).decode())


def _published(stack: RunningStack, rules: int) -> Published:
    headers = {"Authorization": f"Bearer {stack.ready.admin_token}", "Content-Type": "application/json"}
    base = f"{stack.ready.gateway}/admin/v1/risk/rule_sets"
    with httpx.Client(headers=headers, trust_env=False, timeout=600) as client:
        began = time.perf_counter()
        saved = client.post(base, content=orjson.dumps(document_of(rules)))
        saved_s = time.perf_counter() - began
        version: int = saved.raise_for_status().json()["version"]
        with _Asking(stack.ready.gateway).noted() as quiet:
            for _ in range(_QUIET_POLLS):
                _version_of(client, stack.ready.gateway)
                time.sleep(_POLL_S)
        with _Asking(stack.ready.gateway).noted() as meanwhile:
            client.post(f"{base}/{version}/publish", json={}).raise_for_status()
            published = time.perf_counter()
            _await_version(client, stack.ready.gateway, version)
            in_force_s = time.perf_counter() - published
    return Published(rules, saved_s, in_force_s, _p99(quiet), max(quiet), _p99(meanwhile), max(meanwhile))


def _await_version(client: httpx.Client, gateway: str, version: int) -> None:
    """Until the lowest version of all processes is this one."""
    deadline = time.monotonic() + _FORCE_S_MAX
    while time.monotonic() < deadline:
        if _version_of(client, gateway) == version:
            return
        time.sleep(_POLL_S)
    raise TimeoutError(f"version {version} is not in force")


def _version_of(client: httpx.Client, gateway: str) -> int | None:
    """The lowest of all processes."""
    found = _VERSION.search(client.get(f"{gateway}/metrics").text)
    return None if found is None else int(found[1])


def _p99(took_ms: list[float]) -> float:
    return quantiles(took_ms, n=100)[98]


if __name__ == "__main__":
    typer.run(main)
