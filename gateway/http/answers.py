"""Answers of the API: JSON bodies, the one error shape, and how each kind of exception becomes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import Request, Response
from pydantic import ValidationError
from starlette.types import Send

from gateway.admission.admission import Ticket
from gateway.kernel.errors import ApiError, InvalidRequest
from gateway.kernel.values import value

_PARAM_LENGTH_MAX: Final = 128
JSON: Final = (b"content-type", b"application/json")


@value
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        """Send it over ASGI."""
        headers = [JSON, (b"content-length", str(len(self.body)).encode()), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    def to_response(self) -> Response:
        """The same for FastAPI."""
        headers = {name.decode(): value.decode() for name, value in self.headers}
        return Response(self.body, self.status, headers, media_type="application/json")


@value
class Call:
    """A request whose body has been read within its bounds."""

    headers: Mapping[bytes, bytes]
    body: bytes
    request_id: str
    method: str
    raw_path: bytes
    query: bytes
    ticket: Ticket | None = None

    def header(self, name: bytes) -> str | None:
        """A header's value; bytes that are no Latin-1 text do not occur in HTTP."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


def json_answer(status: int, value: Any, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """A value as JSON."""
    return Answer(status, orjson.dumps(value), tuple(headers))


def error_answer(error: ApiError, request_id: str, public_url: str) -> Answer:
    """The error shape of PRODUCT.md, with Retry-After where coming again helps."""
    body = {
        "error": {
            "type": error.type,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "request_id": request_id,
            "docs_url": f"{public_url}/docs/errors#{error.code}",
        }
    }
    headers = [] if error.retry_after_s is None else [(b"retry-after", str(error.retry_after_s).encode())]
    return json_answer(error.http_status, body, headers)


async def no_unknown_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: a misspelt filter must not list everything."""
    known = {parameter.alias for parameter in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise InvalidRequest("unknown_field", f"There is no parameter “{name[:64]}”.", param=name[:128])


class InternalError(ApiError):
    """A bug of ours; what happened stands in the log under the request id."""

    def __init__(self) -> None:
        super().__init__("internal_error", "This is a fault of ours. Tell us the request id.")


def invalid_request(errors: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """The first of FastAPI's errors in our words; never the value that was sent."""
    first = errors[0]
    return _invalid(first["type"], first["msg"], first["loc"][1:])  # without the part of the request


def _invalid(kind: str, message: str, place: Sequence[str | int]) -> InvalidRequest:
    param = ".".join(map(str, place))[:_PARAM_LENGTH_MAX]
    if not param or kind == "json_invalid":
        return InvalidRequest("invalid_json", f"The body is not a JSON object: {message}.", param="body")
    if kind == "extra_forbidden":
        return InvalidRequest("unknown_field", f"There is no field “{param}”.", param=param)
    if kind == "missing":
        return InvalidRequest("missing_field", f"“{param}” is required.", param=param)
    return InvalidRequest("invalid_field", f"“{param}”: {message}.", param=param)


def invalid_body(error: ValidationError) -> InvalidRequest:
    """The same for a model that was validated by hand."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return _invalid(first["type"], first["msg"], first["loc"])
