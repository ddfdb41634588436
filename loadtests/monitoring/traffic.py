"""What the try does beside `make load`, so that every panel has something to show: rules, a till, webhook endpoints."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Final

import httpx

from loadtests.stack import RunningStack, StackTrouble
from loadtests.traffic.orders import MIX, Orders, new_run_number, spread

_SOURCE: Final = 8
_EVERY_S: Final = 0.2
_IN_FORCE_S: Final = 30.0


def publish_rules(stack: RunningStack) -> None:
    """A rule for each action, one of them in shadow; only the try's own merchant is declined.  Raises StackTrouble."""
    base = f"{stack.ready.gateway}/admin/v1/risk/rule_sets"
    with httpx.Client(headers={"Authorization": f"Bearer {stack.ready.admin_token}"}, trust_env=False) as client:
        saved = client.post(base, json={"note": "For the dashboards", "rules": _rules(stack.ready.merchant.id)})
        version: int = saved.raise_for_status().json()["version"]
        client.post(f"{base}/{version}/publish", json={}).raise_for_status()
        deadline = time.monotonic() + _IN_FORCE_S
        while f"mashang_risk_rule_set_version {version}" not in client.get(f"{stack.ready.gateway}/metrics").text:
            if time.monotonic() > deadline:
                raise StackTrouble(f"version {version} of the rules is not in force")
            time.sleep(_EVERY_S)


def _rules(merchant_id: str) -> list[dict[str, Any]]:
    return [
        {"code": "try.large", "when": "payment.amount > 15000", "action": "review", "score": 20},
        {"code": "try.often", "when": "velocity('count', 'customer', '1h') > 3", "action": "no_discount", "score": 20},
        {"code": "try.odd", "when": "payment.amount % 10 == 7", "action": "decline", "score": 90,
         "merchants": [merchant_id]},
        {"code": "try.watched", "when": "payment.amount > 5000", "action": "decline", "score": 90, "mode": "shadow"},
    ]  # fmt: skip


@contextmanager
def demo_merchant(stack: RunningStack) -> Iterator[None]:
    """The demo merchant takes five payments a second, and is told by webhooks, some of which he refuses at first."""
    over = threading.Event()
    with _receiver() as url, _client(stack) as client:
        client.post("/v1/webhook_endpoints", json={"url": url}).raise_for_status()
        seller = threading.Thread(target=_sell, args=(client, over))
        seller.start()
        try:
            yield
        finally:
            over.set()
            seller.join()


def _client(stack: RunningStack) -> httpx.Client:
    headers = {"Authorization": f"Bearer {stack.ready.merchant.api_key}", "Content-Type": "application/json"}
    return httpx.Client(base_url=stack.ready.gateway, headers=headers, trust_env=False, timeout=60)


def _sell(client: httpx.Client, over: threading.Event) -> None:
    for _, body in Orders(new_run_number(), spread(MIX), source=_SOURCE):
        if over.wait(_EVERY_S):
            return
        client.post("/v1/payments", content=body)


class _Receiver(BaseHTTPRequestHandler):
    """Answers one message in ten with 500, and all others with 204."""

    numbers = count(1)

    def do_POST(self) -> None:
        """Take one message."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(500 if next(self.numbers) % 10 == 0 else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Nothing: the run prints its own lines."""


@contextmanager
def _receiver() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hook"
        finally:
            server.shutdown()
            thread.join()
