"""Completes the OpenAPI document: security scheme, error shape of every endpoint, request schema of the hot route."""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway.payments.schemas import PaymentRequest
from gateway.refunds.schemas import RefundRequest

_DESCRIPTION: Final = """\
One request from a till; Mashang screens it, prices it, picks the channel, charges once and books it.

Amounts are integers in fen, times RFC 3339 UTC.  Every answer carries `Request-Id`.  Unknown request fields are refused
by name.  A payment that is declined is no HTTP error: look at its `status` and `failure`.
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
    "409": "The request contradicts what is there.",
    "413": "The body is too large.",
    "415": "Not JSON, or compressed.",
    "429": "Too many requests: come again after `Retry-After` seconds.",
    "503": "Busy: come again after `Retry-After` seconds; nothing was bound.",
}
_PUBLIC: Final = ("/callbacks/", "/q/", "/r/")
"""Channels and customers come here without a key."""
_WITH_A_KEY: Final = frozenset({"401", "403"})
_WITHOUT_A_KEY: Final = frozenset({"429"})
"""A key's requests are bounded by what is in flight (503), anybody's by how often they come."""
_OPERATIONS: Final = frozenset({"/livez", "/readyz", "/metrics"})


def describe(app: FastAPI) -> None:
    """Replace the application's OpenAPI document by the completed one, made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(title="Mashang API", version="1", description=_DESCRIPTION, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (PaymentRequest, RefundRequest, ErrorAnswer):
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
    error = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}}
    for path, item in document["paths"].items():
        if path in _OPERATIONS:
            continue
        for operation in item.values():
            operation["security"] = [] if path.startswith(_PUBLIC) else [{"key": []}]
            operation["responses"].pop("422", None)
            for status, description in _STATUSES.items():
                if status in (_WITH_A_KEY if path.startswith(_PUBLIC) else _WITHOUT_A_KEY):
                    continue
                operation["responses"].setdefault(status, {"description": description, **error})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    return document
