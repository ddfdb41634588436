"""The gate over the server's own protocol: what it lets in, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from gateway.admission.admission import Admission, Capacity, Ticket
from gateway.admission.limit import Bounds
from gateway.http.admission import Gate, ticket_of
from gateway.http.answers import Answer, Call
from gateway.http.edge import Edge
from gateway.http.services import Services
from gateway.http.whole import send_whole
from gateway.kernel.errors import NotPermitted
from gateway.merchants.quota import Quota
from gateway.merchants.store import Merchant
from gateway.tracing.tracing import NOT_TRACED
from tests.unit.http.test_whole import HEADERS, REQUEST, talk

_SETTINGS = SimpleNamespace(request_bytes_max=999, request_read_timeout_s=5.0, public_url="https://pay.example")
_NOBODY_PROVED = SimpleNamespace(presented=lambda _headers: (None, ""))


def services() -> Services:
    """Of a process that nobody has come to yet."""
    admission = Admission(Capacity(Bounds(1, 9, 9, 0.1), 9, 9))
    told = {"admission": admission, "directory": _NOBODY_PROVED, "settings": _SETTINGS, "tracing": NOT_TRACED}
    return cast("Services", SimpleNamespace(**told))


@pytest.mark.parametrize("path", [b"/v1/payments", b"/v1/refunds"])
async def test_a_request_that_was_answered_leaves_nothing_for_the_garbage_collector(path: bytes) -> None:
    left: list[weakref.ref[Any]] = []
    held: list[bool] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        left.append(weakref.ref(cast("Any", send).__self__))
        ticket: Ticket | None = ticket_of(scope)
        held.append(ticket is not None and ticket.connection is left[-1]())
        assert send_whole(send, 201, HEADERS, b"{}")

    gc.disable()
    try:
        await talk(Gate(app, services), REQUEST.replace(b"/v1/payments", path))
        await asyncio.sleep(0)
        assert [connection() for connection in left] == [None]
    finally:
        gc.enable()
    assert held == [path == b"/v1/payments"]


@pytest.mark.parametrize("refused", [False, True])
async def test_who_proves_only_on_the_way_that_he_has_a_quota_is_told_what_is_left_of_it(*, refused: bool) -> None:
    shop = Merchant("mer_1", "shop", "Asia/Shanghai", quota=Quota(2, 5))

    async def take(_services: Services, call: Call) -> Answer:
        assert call.ticket is not None
        call.ticket.identify(shop)
        if refused:
            raise NotPermitted("not_identified", "Not with this key.")
        return Answer(201, b"{}")

    one = services()
    edge = Edge(cast("Any", None), {("POST", "/v1/payments"): take}, lambda: one)
    request = REQUEST.replace(b"host: x", b"host: x\r\ncontent-type: application/json")
    kept = await talk(Gate(edge, lambda: one), request, request)
    lines = [answer.split(b"\r\n\r\n")[0].split(b"\r\n")[1:] for answer in kept.written]
    assert [answer[9:12] for answer in kept.written] == [b"403" if refused else b"201"] * 2
    told = [{line for line in head if line.startswith(b"ratelimit-")} for head in lines]
    assert told == [
        {b"ratelimit-limit: 2", b"ratelimit-remaining: %d" % left, b"ratelimit-reset: %d" % after_s}
        for left, after_s in ((4, 1), (3, 1))
    ]


def test_answers_that_an_alert_counts_are_told_as_none_before_there_are_any() -> None:
    Gate(cast("Any", None), services)
    for route in ("/v1/payments", "/v1/codes"):
        for status in ("500", "503"):
            labels = {"route": route, "method": "POST", "status": status}
            assert REGISTRY.get_sample_value("mashang_http_requests_total", labels) is not None
