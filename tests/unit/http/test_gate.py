"""The gate over the server's own protocol: what it lets in, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send

from gateway.admission.admission import Admission, Capacity, Ticket
from gateway.admission.limit import Bounds
from gateway.http.admission import Gate, ticket_of
from gateway.http.whole import send_whole
from tests.unit.http.test_whole import HEADERS, REQUEST, talk


@pytest.mark.parametrize("path", [b"/v1/payments", b"/v1/refunds"])
async def test_a_request_that_was_answered_leaves_nothing_for_the_garbage_collector(path: bytes) -> None:
    services = SimpleNamespace(
        admission=Admission(Capacity(Bounds(1, 9, 9, 0.1), 9, 9)),
        directory=SimpleNamespace(presented=lambda _headers: (None, "")),
    )
    left: list[weakref.ref[Any]] = []
    held: list[bool] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        left.append(weakref.ref(cast("Any", send).__self__))
        ticket: Ticket | None = ticket_of(scope)
        held.append(ticket is not None and ticket.connection is left[-1]())
        assert send_whole(send, 201, HEADERS, b"{}")

    gc.disable()
    try:
        await talk(Gate(app, lambda: cast("Any", services)), REQUEST.replace(b"/v1/payments", path))
        await asyncio.sleep(0)
        assert [connection() for connection in left] == [None]
    finally:
        gc.enable()
    assert held == [path == b"/v1/payments"]
