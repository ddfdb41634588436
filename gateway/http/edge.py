"""Under the gate: request id, bounds of the body, error shape, metrics, and the direct way of the hot route.

`POST /v1/payments` does not pass through FastAPI's routing (130 µs a request, docs/decisions/0007): it is answered here
by the very function that the documented route calls.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.admission.admission import Ticket
from gateway.database.batches import BROKEN, database_away
from gateway.http.admission import quota_headers
from gateway.http.answers import JSON, Answer, Call, InternalError, error_answer
from gateway.http.authentication import is_admin_token
from gateway.http.bodies import body_at_once, read_body, replay, rest_is_short
from gateway.http.services import Services
from gateway.http.whole import send_whole
from gateway.kernel.errors import ApiError, InvalidRequest, NotAuthenticated, Unavailable
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import HTTP_REQUESTS, HTTP_SECONDS
from gateway.tracing.tracing import Exchange
from gateway.tracing.tracing import Request as Traced

HotRoute = Callable[[Services, Call], Awaitable[Answer]]

_log = logging.getLogger("mashang.http")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_NOTIFICATIONS: Final = "/callbacks/"
"""Under this path the channels send what they send: forms and JSON, whose very bytes are signed."""
_NOTIFICATION_BYTES_MAX: Final = 64 * 1024
_NOTIFICATIONS_MAX: Final = 256
"""Bodies of notifications that are being received at once: anybody can send some."""
_LARGE: Final = frozenset({"/admin/v1/risk/rule_sets", "/admin/v1/risk/rule_sets/check"})
"""Documents of many thousand rules come there: from holders of the admin token only, and read by the endpoint itself,
beside the event loop."""
_LARGE_BYTES_MAX: Final = 64 << 20
_LARGE_READ_TIMEOUT_S: Final = 60.0
_LARGE_AT_A_TIME_MAX: Final = 2
_MANY_ROWS_BYTES_MAX: Final = {"/admin/v1/risk/labels/bulk": 512 * 1024, "/admin/v1/risk/models": 2 << 20}
"""Where a request has up to a thousand rows, or the trees of a model."""
_ENTRIES: Final = re.compile(
    r"/admin/v1/(?:risk/lists/[^/]+/(?:entries|entries/remove|imports/[^/]+/batches)"
    r"|segments/[^/]+/customers(?:/remove)?)"
)
"""Where one has up to some thousand entries of a list, or customers of a segment."""
_ENTRIES_BYTES_MAX: Final = 512 * 1024
_RETURN_PAGE: Final = re.compile(r"/q/[0-9A-Za-z_-]{20,64}")
"""UnionPay can send its customer back to the cashier page by a form; nothing in it is read."""


class Edge:
    """Wraps the FastAPI application.  `services` becomes available when the application has started."""

    def __init__(
        self, inner: ASGIApp, hot: Mapping[tuple[str, str], HotRoute], services: Callable[[], Services]
    ) -> None:
        self._inner = inner
        self._hot = hot
        self._services = services
        self._notifications = 0
        self._large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection event."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        request_id = new_id("req")
        ticket: Ticket | None = scope.get("mashang.ticket")
        scope["mashang.request_id"] = request_id
        services, began = self._services(), time.monotonic()
        method, path = scope["method"], scope["path"]
        hot = self._hot.get((method, path))
        headers: dict[bytes, bytes] = scope.get("mashang.headers") or dict(scope["headers"])
        tracing = services.tracing
        traced = tracing.begin(request_id, path, headers) if tracing.is_on else None
        answering = _Answering(send, request_id, ticket, traced)
        body: bytes | None = None
        try:
            body = self._body_at_once(services, headers, receive, ticket) if hot is not None else None
            if body is None:
                body = await self._body(services, scope, headers, receive) if method in _WITH_BODY else b""
            if hot is None and _is_ours(path) and path not in _LARGE:
                _require_readable(body)
            if hot is not None:
                answer = await hot(
                    services, Call(headers, body, request_id, method, scope["raw_path"], scope["query_string"], ticket)
                )
                await answering.answer(answer)
            else:
                await self._inner(scope, replay(body, receive), answering.send)
        except ApiError as error:
            answering.closes = body is None and (error.http_status == 408 or not rest_is_short(headers))
            await error_answer(error, request_id, services.settings.public_url).send(answering.send)
        except Exception as error:  # the last place where a fault can still become an answer
            if not answering.begun:
                fault = _fault(error, request_id)
                await error_answer(fault, request_id, services.settings.public_url).send(answering.send)
        route = path if hot is not None else _route_of(scope)
        known_method = method if method in _METHODS else "other"
        HTTP_REQUESTS.labels(route, known_method, answering.status).inc()
        if hot is None:
            HTTP_SECONDS.labels(_area_of(route)).observe(time.monotonic() - began)
        if traced is not None:
            tracing.answered(traced, Exchange(request_id, known_method, route, answering.status, began))

    def _body_at_once(
        self, services: Services, headers: dict[bytes, bytes], receive: Receive, ticket: Ticket | None
    ) -> bytes | None:
        """The body of a request of the hot route as `_body` gives it; None where it has to be waited for."""
        body = body_at_once(headers, receive, services.settings.request_bytes_max)
        if body is not None:
            _require_json(headers, body)
            if ticket is not None:
                ticket.body_came()
        return body

    async def _body(self, services: Services, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body within the bounds of its path.  Raises 400, 401, 408, 413, 415 or 503."""
        settings = services.settings
        if scope["path"] in _LARGE and scope["method"] == "POST":
            return await self._large_body(services, headers, receive)
        if not scope["path"].startswith(_NOTIFICATIONS):
            ticket: Ticket | None = scope.get("mashang.ticket")
            limit = max(settings.request_bytes_max, _rows_bytes_max(scope["path"]))
            body = body_at_once(headers, receive, limit)
            if body is None:
                if ticket is not None:
                    ticket.aside()  # while its till is still sending
                body = await read_body(headers, receive, limit, settings.request_read_timeout_s)
            if _is_ours(scope["path"]):
                _require_json(headers, body)
            if ticket is not None:
                ticket.body_came()
            return body
        if self._notifications >= _NOTIFICATIONS_MAX:
            raise Unavailable("busy", "Too many notifications are coming in: send it again.", retry_after_s=1)
        self._notifications += 1
        try:
            return await read_body(headers, receive, _NOTIFICATION_BYTES_MAX, settings.request_read_timeout_s)
        finally:
            self._notifications -= 1

    async def _large_body(self, services: Services, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        if not is_admin_token(services, headers.get(b"authorization", b"").decode("latin-1")):
            raise NotAuthenticated("invalid_admin_token", "Send the admin token as: Authorization: Bearer …")
        if self._large >= _LARGE_AT_A_TIME_MAX:
            raise Unavailable("busy", "Other large documents are coming in: send it again.", retry_after_s=1)
        self._large += 1
        try:
            body = await read_body(headers, receive, _LARGE_BYTES_MAX, _LARGE_READ_TIMEOUT_S)
        finally:
            self._large -= 1
        _require_json(headers, body)
        return body


def _rows_bytes_max(path: str) -> int:
    """What is taken where a request has many rows; 0 where it has not."""
    return _ENTRIES_BYTES_MAX if _ENTRIES.fullmatch(path) else _MANY_ROWS_BYTES_MAX.get(path, 0)


def _is_ours(path: str) -> bool:
    """Whether bodies come there in the form that we have written down: as JSON."""
    return not path.startswith(_NOTIFICATIONS) and _RETURN_PAGE.fullmatch(path) is None


def _fault(error: Exception, request_id: str) -> ApiError:
    """What the caller learns of an exception that nobody has handled."""
    if isinstance(error, BROKEN):
        _log.warning("a store is away", extra={"error": type(error).__name__, "request_id": request_id})
        return database_away()
    _log.error("a request failed", exc_info=error, extra={"request_id": request_id})
    return InternalError()


class _Answering:
    """Adds the ids of request and trace to an answer, and what is left of a merchant's quota; remembers its status."""

    __slots__ = ("_ids", "_send", "_ticket", "begun", "closes", "status")

    def __init__(self, send: Send, request_id: str, ticket: Ticket | None, traced: Traced | None) -> None:
        self._send = send
        self._ids: tuple[tuple[bytes, bytes], ...] = ((b"request-id", request_id.encode()),)
        if traced is not None:
            self._ids += ((b"trace-id", traced.recording.trace_id_hex.encode()),)
        self._ticket = ticket
        self.begun = False
        self.closes = False
        self.status = 0

    async def answer(self, answer: Answer) -> None:
        """Send an answer of the hot route, in one piece where the server can."""
        headers = (JSON, *answer.headers, *self._own_headers())
        if send_whole(self._send, answer.status, headers, answer.body):
            self.begun, self.status = True, answer.status
        else:
            await answer.send(self.send)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._own_headers()]
            if self.closes:
                message["headers"].append((b"connection", b"close"))
        await self._send(message)

    def _own_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Looked up now: whose quota it is may have been proved only after the request was let in."""
        ticket = self._ticket
        if ticket is None or ticket.standing.bucket is None:
            return self._ids
        return (*self._ids, *quota_headers(ticket.standing))


_ADMIN: Final = "/admin/v1/"
_ADMIN_ROOMS: Final = frozenset({"risk", "routing"})
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def _route_of(scope: Scope) -> str:
    """The template of the route, never the path itself: labels are a closed set.  Of the admin API its nouns."""
    path: str = getattr(scope.get("route"), "path", "none")
    if not path.startswith(_ADMIN):
        return path
    nouns = path.removeprefix(_ADMIN).split("/")
    return _ADMIN + "/".join(nouns[: 2 if nouns[0] in _ADMIN_ROOMS else 1])


@lru_cache(maxsize=256)
def _area_of(route: str) -> str:
    """Of a route's label: admin, or the noun that it begins with."""
    if route.startswith(_ADMIN):
        return "admin"
    return route.removeprefix("/v1").strip("/").partition("/")[0] or "none"


def _require_json(headers: Mapping[bytes, bytes], body: bytes) -> None:
    """Raises 415 for a body that is announced as anything else."""
    if body and headers.get(b"content-type") != b"application/json" and not _is_json(headers):
        raise InvalidRequest(
            "unsupported_media_type", "Send Content-Type: application/json.", param="Content-Type", status=415
        )


def _require_readable(body: bytes) -> None:
    """Raises 400 for what is no JSON in UTF-8.  FastAPI would guess at other encodings, and not say what is wrong with
    numbers without end and with deep nesting."""
    try:
        if body:
            json.loads(body.decode())
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos}"
    except UnicodeDecodeError:
        reason = "it is no UTF-8"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:
        reason = "a number in it is too long"
    else:
        return
    raise InvalidRequest("invalid_json", f"The body is not a JSON object: {reason}.", param="body")


def _is_json(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body is announced as JSON in UTF-8; an unknown parameter does no harm."""
    kind, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    charset = parameters.strip().removeprefix(b"charset=").strip(b'"')
    return kind.strip() == b"application/json" and (b"charset" not in parameters or charset == b"utf-8")
