"""The outermost ASGI layer: who is let in.  A refusal costs a rendered answer and nothing else; no body is read for it.

Completing goes before starting: when new payments are refused, queries, cancellations, refunds, the channels'
notifications and the cashier page's steps are let in, and so is a payment that is in flight here already and is only
asked for again.  Probes, metrics and operations always are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from itertools import product
from typing import Final

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admission.admission import UNPROVEN, Refusal, Standing, Ticket, error_of
from gateway.http.answers import JSON, error_answer
from gateway.http.bodies import read_body, replay, rest_is_short
from gateway.http.services import Services
from gateway.kernel.errors import ApiError
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import HTTP_REQUESTS, REFUSED
from gateway.merchants.store import Merchant

_Headers = dict[bytes, bytes]
_BEGINNING: Final = frozenset({"/v1/payments", "/v1/codes"})
_FAULTS: Final = (500, 503)
_OFFERING: Final = frozenset({"/v1/quotes", "/v1/coupons"})
_OPERATING: Final = ("/livez", "/readyz", "/metrics", "/admin/")
_ORDER_NO: Final = re.compile(rb'"merchant_order_no"\s*:\s*"([0-9A-Za-z_-]{1,32})"')
"""Finds in a body which payment is asked for; the desk makes sure of it."""
_RETRY_S_MAX: Final = 60
_ID_PLACE: Final = "req_00000000000000000000000000"
_REFUSED: Final = {refusal: REFUSED.labels(refusal.value) for refusal in Refusal}


class Gate:
    """Wraps the edge.  `services` becomes available when the application has started."""

    def __init__(self, inner: ASGIApp, services: Callable[[], Services]) -> None:
        self._inner = inner
        self._services = services
        self._rendered: dict[tuple[Refusal, int], _Rendered] = {}
        for route, status in product(
            _BEGINNING, _FAULTS
        ):  # told as 0 at first: rate() does not see a series' beginning
            HTTP_REQUESTS.labels(route, "POST", status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or refuse it."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        path: str = scope["path"]
        # The connection has the scope: were it to stay in there, only the garbage collector would get rid of the two.
        connection = scope.pop("mashang.connection", None)
        if scope["method"] == "POST" and path in _BEGINNING:
            await self._begin(scope, receive, send, connection)
        elif path.startswith(_OPERATING):
            await self._inner(scope, receive, send)
        else:
            await self._complete(scope, receive, send)

    async def _begin(self, scope: Scope, receive: Receive, send: Send, connection: object) -> None:
        """A new payment, unless it repeats one."""
        services = self._services()
        admission, now = services.admission, time.monotonic()
        headers: _Headers = dict(scope["headers"])
        scope["mashang.headers"] = headers
        merchant, name = services.directory.presented(headers)
        name = name or UNPROVEN
        admitted = admission.admit(name, merchant, now)
        if isinstance(admitted, Refusal):
            refusal, standing = admitted, admission.standings.get(name)
            body = await self._body_of_repetition(services, merchant, scope, receive)
            joined = None if body is None else admission.join(name)
            if body is None or joined is None:
                await self._refuse(scope, send, refusal, admission.retry_after_s(refusal, standing, now), standing)
                return
            admitted, receive = joined, replay(body, receive)
        admitted.connection = connection
        scope["mashang.ticket"] = admitted
        try:
            await self._inner(scope, receive, send)
        finally:
            admitted.close()

    async def _complete(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever is no new payment; quotes and coupons wait until payments are let in again."""
        admission = self._services().admission
        is_offering = scope["method"] == "POST" and scope["path"] in _OFFERING
        if is_offering and admission.is_full:
            await self._refuse(scope, send, Refusal.OFFERING, 1)
            return
        if not admission.begin_completing():
            await self._refuse(scope, send, Refusal.COMPLETING, 1)
            return
        try:
            await self._inner(scope, receive, send)
        finally:
            admission.completing -= 1

    async def _body_of_repetition(
        self, services: Services, merchant: Merchant | None, scope: Scope, receive: Receive
    ) -> bytes | None:
        """The body of a request for a payment of that merchant that is in flight here; None for any other.

        It is read like that of any request which completes something: no more of them at once than there are places.
        """
        if merchant is None or scope["path"] != "/v1/payments" or not len(services.desk):
            return None
        if not services.admission.begin_completing():
            return None
        settings = services.settings
        headers: _Headers = scope["mashang.headers"]
        try:
            body = await read_body(headers, receive, settings.request_bytes_max, settings.request_read_timeout_s)
        except ApiError:  # it does not come within its bounds
            return None
        finally:
            services.admission.completing -= 1
        return body if any(services.desk.has(merchant.id, no.decode()) for no in _ORDER_NO.findall(body)) else None

    async def _refuse(
        self, scope: Scope, send: Send, refusal: Refusal, retry_after_s: int, standing: Standing | None = None
    ) -> None:
        rendered = self._render(refusal, min(retry_after_s, _RETRY_S_MAX))
        request_id = new_id("req").encode()
        headers = [*rendered.headers, (b"request-id", request_id)]
        if refusal.is_quota and standing is not None and standing.bucket is not None:
            headers += quota_headers(standing)
        if not _is_drained(scope):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
        await send({"type": "http.response.body", "body": rendered.before + request_id + rendered.after})
        _REFUSED[refusal].inc()
        path = scope["path"]
        route = path if path in _BEGINNING or path in _OFFERING else "none"
        HTTP_REQUESTS.labels(route, scope["method"] if route != "none" else "other", rendered.status).inc()

    def _render(self, refusal: Refusal, retry_after_s: int) -> _Rendered:
        rendered = self._rendered.get((refusal, retry_after_s))
        if rendered is None:
            error = error_of(refusal, retry_after_s)
            rendered = _Rendered(error, self._services().settings.public_url)
            self._rendered[refusal, retry_after_s] = rendered
        return rendered


class _Rendered:
    """An error answer but for its request id."""

    __slots__ = ("after", "before", "headers", "status")

    def __init__(self, error: ApiError, public_url: str) -> None:
        answer = error_answer(error, _ID_PLACE, public_url)
        self.status = answer.status
        self.before, _, self.after = answer.body.partition(_ID_PLACE.encode())
        self.headers = (JSON, (b"content-length", str(len(answer.body)).encode()), *answer.headers)
        assert orjson.loads(answer.body)["error"]["request_id"] == _ID_PLACE


def quota_headers(standing: Standing) -> list[tuple[bytes, bytes]]:
    """What this process has left of a merchant's rate (draft-ietf-httpapi-ratelimit-headers-06)."""
    bucket, now = standing.bucket, time.monotonic()
    assert bucket is not None, "the caller has looked"
    values = (
        (b"ratelimit-limit", standing.rate),
        (b"ratelimit-remaining", bucket.remaining(now)),
        (b"ratelimit-reset", bucket.full_s(now)),
    )
    return [(name, str(value).encode()) for name, value in values]


def _is_drained(scope: Scope) -> bool:
    """Whether what may still come of the body is short, so that the connection can be kept."""
    headers: Mapping[bytes, bytes] = scope.get("mashang.headers") or dict(scope["headers"])
    if b"expect" in headers:  # a client that waits for 100 Continue sends its body now, or never
        return False
    return scope["method"] in {"GET", "HEAD"} or rest_is_short(headers)


def ticket_of(scope: Scope) -> Ticket | None:
    """The place that a request was given; None where it needed none."""
    ticket: Ticket | None = scope.get("mashang.ticket")
    return ticket
