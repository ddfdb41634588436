"""The server of `make bench-admission`: the gate before a full process, as the gateway serves it; and the no-op POST.

What it refuses it refuses by the real gate, admission and directory; behind them there is no gateway.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final, cast

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from gateway.admission.admission import Admission, Capacity
from gateway.admission.limit import Bounds
from gateway.http.admission import Gate
from gateway.http.protocol import OneWriteProtocol
from gateway.http.services import Services
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.merchants.quota import NO_QUOTA, Quota
from gateway.merchants.store import KeyHolder, Merchant
from gateway.merchants.store import Scope as KeyScope
from loadtests.bench.yardstick import app as no_op

KEY: Final = "sk_test_of_the_benchmark"
STATUSES: Final[Mapping[str, int]] = {
    "no_op": 201, "busy": 503, "busy_while_some_are_in_flight": 503, "merchant_rate": 429,
}  # fmt: skip
"""What is served, and with which status everybody is answered but one a second of a merchant's rate."""


class _Desk:
    """Has payments in flight, but never the one that is asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def has(self, merchant_id: str, merchant_order_no: str) -> bool:
        return (merchant_id, merchant_order_no) == ("", "")


async def _let_in(_: Scope, __: Receive, send: Send) -> None:
    """Nearly nobody: a request that asks whether the server is there, and one payment a second of a merchant's rate."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def gate(kind: str) -> Gate:
    """A gate that refuses every payment for that reason."""
    quota = Quota(payments_per_s=1, payments_burst=1) if kind == "merchant_rate" else NO_QUOTA
    merchant = Merchant("mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB", "shop", "Asia/Shanghai", quota=quota)
    directory = Directory(cast("Any", None), Vault(bytes(32)))
    holder = KeyHolder(merchant, "key", frozenset(KeyScope))
    directory._holders.keep(f"Bearer {KEY}".encode(), holder, merchant.id)  # noqa: SLF001
    await directory.authenticate(f"Bearer {KEY}", KeyScope.PAY)
    admission = Admission(Capacity(Bounds(1, 1, 1, 0.1) if not quota.is_limit else Bounds(9, 9, 9, 0.1), 1_000, 10))
    admission.admit(merchant.id, merchant, 0.0)
    services = SimpleNamespace(
        admission=admission,
        directory=directory,
        desk=_Desk(5 if kind == "busy_while_some_are_in_flight" else 0),
        settings=SimpleNamespace(public_url="http://127.0.0.1", request_bytes_max=32_768, request_read_timeout_s=10.0),
    )
    return Gate(_let_in, lambda: cast("Services", services))


async def serve(kind: str, listener: socket.socket) -> None:
    """Serve until the process is ended."""
    app = no_op if kind == "no_op" else await gate(kind)
    protocol = "httptools" if kind == "no_op" else OneWriteProtocol
    config = uvicorn.Config(
        app,
        http=protocol,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
    )
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=STATUSES)
    parser.add_argument("--fd", type=int, required=True, help="the socket to listen on")
    options = parser.parse_args()
    # The loop of the gateway, and of the yardstick
    uvloop.run(serve(options.kind, socket.socket(fileno=options.fd)))
