"""Completes the OpenAPI document: security scheme, error shape of every endpoint, request schema of the hot route."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway.admin.risk.rule_sets.document import RuleSetRequest
from gateway.coupons.schemas import ClaimRequest
from gateway.payments.schemas import PaymentRequest
from gateway.quotes.schemas import QuoteRequest
from gateway.refunds.schemas import RefundRequest

_DESCRIPTION: Final = """\
One request from a till; Mashang screens it, prices it, picks the channel, charges once and books it.

Amounts are integers in fen, times RFC 3339 UTC.  Every answer carries `Request-Id`; that of a traced request
`Trace-Id`, too.  Unknown request fields are refused by name.  A payment that is declined is no HTTP error: look at its
`status` and `failure`.
"""


class ErrorBody(BaseModel):
    """What went wrong and what to do; `param` names the field."""

    type: Literal[
        "invalid_request", "authentication", "permission", "conflict", "rate_limited", "unavailable", "internal"
    ]
    code: str
    message: str
    param: str | None
    request_id: str
    docs_url: str


class ErrorAnswer(BaseModel):
    """Every error has this shape."""

    error: ErrorBody


_STATUSES: Final = {
    "400": "The request is wrong; `param` names the field.",
    "401": "No valid key.",
    "403": "The key may not do this.",
    "404": "There is no such object, or it is not yours.",
    "408": "The body took too long to arrive.",
    "409": "The request contradicts what is there.",
    "413": "The body is too large.",
    "415": "Not JSON, or compressed.",
    "429": "Too many requests: come again after `Retry-After` seconds.",
    "503": "Busy: come again after `Retry-After` seconds; nothing was bound.",
}
_PUBLIC: Final = ("/callbacks/", "/q/", "/r/")
"""Channels and customers come here without a key."""
_WITH_A_KEY: Final = frozenset({"401", "403"})
_UNLIMITED: Final = frozenset({"429"})
"""A key's requests are bounded by what the process can do (503), and where payments are begun by the merchant's quota;
anybody's by how often they come."""
_BEGINNING: Final = frozenset({("/v1/payments", "post"), ("/v1/codes", "post")})
_QUOTA_HEADERS: Final = {
    "RateLimit-Limit": "Payments that the merchant may begin a second; only where that is limited.",
    "RateLimit-Remaining": "How many it may begin now, at the process that answers.",
    "RateLimit-Reset": "Seconds until that is as many as it can be.",
}
_RETRY: Final = {"Retry-After": "Seconds after which to send the same request again."}
_OF_BODIES: Final = frozenset({"408", "413", "415"})
_OPERATIONS: Final = frozenset({"/livez", "/readyz", "/metrics"})
_ERROR: Final = "#/components/schemas/ErrorAnswer"


def describe(app: FastAPI) -> None:
    """Replace the application's OpenAPI document by the completed one.

    Making it takes a second or more of CPU: it is made once, when it is first asked for, in a thread, so that payments
    go on beside it, and answered as the bytes that it then is.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title="Mashang API", version="1", description=_DESCRIPTION, routes=app.routes)
            app.openapi_schema = _complete(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.router.routes[:] = [route for route in app.routes if getattr(route, "path", None) != app.openapi_url]
    assert app.openapi_url is not None, "the document has an address"
    app.add_route(app.openapi_url, _Document(openapi).answer, include_in_schema=False)


class _Document:
    """Answers with the document; whoever asks while it is being made waits for it."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make
        self._made: bytes | None = None
        self._turn = asyncio.Lock()

    async def answer(self, _: Request) -> Response:
        """The document in JSON."""
        async with self._turn:
            if self._made is None:
                self._made = await asyncio.to_thread(lambda: orjson.dumps(self._make()))
        return Response(self._made, media_type="application/json")


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (PaymentRequest, RefundRequest, QuoteRequest, ClaimRequest, RuleSetRequest, ErrorAnswer):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    document["components"]["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "sk_test_… or sk_live_…; the admin token for /admin/v1.",
        }
    }
    for path, item in document["paths"].items():
        if path not in _OPERATIONS:
            for method, operation in item.items():
                _complete_operation(path, method, operation)
    _make_examples_whole(schemas)
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    return document


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    """Who may call it, and the errors that any such call can meet."""
    is_public = path.startswith(_PUBLIC)
    operation["security"] = [] if is_public else [{"key": []}]
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    begins = (path, method) in _BEGINNING
    left_out = _WITH_A_KEY if is_public else frozenset() if begins else _UNLIMITED
    if method in {"get", "delete"}:
        left_out |= _OF_BODIES
    for status, description in _STATUSES.items():
        if status not in left_out:
            responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "400":
            response.setdefault("content", {"application/json": {"schema": {"$ref": _ERROR}}})
    for status, response in responses.items():
        told = _RETRY if status in {"429", "503"} else {}
        if begins and status in {"201", "429"}:
            told = told | _QUOTA_HEADERS
        if told:
            response.setdefault("headers", {}).update(
                {name: {"description": text, "schema": {"type": "integer"}} for name, text in told.items()}
            )


def _make_examples_whole(schemas: dict[str, Any]) -> None:
    """Put our models' examples in again: FastAPI drops every null in them, and with it fields that are required."""
    for model in _models(BaseModel):
        extra = model.model_config.get("json_schema_extra")
        for name in (model.__name__, f"{model.__module__}.{model.__name__}".replace(".", "__")):
            if isinstance(extra, dict) and "examples" in schemas.get(name, {}):
                schemas[name]["examples"] = extra["examples"]


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Our own models, as far as they are imported."""
    for model in base.__subclasses__():
        if model.__module__.startswith("gateway."):
            yield model
        yield from _models(model)
