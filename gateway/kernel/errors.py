"""The errors that reach a caller of the API: each class carries its HTTP status and its type (PRODUCT.md "Errors")."""

from __future__ import annotations

from typing import ClassVar

from gateway.kernel.error_codes import ERRORS


class ApiError(Exception):
    """An error answer.  `code` stands in ERRORS, `message` says what to do, `param` names the field."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        assert code in ERRORS, code
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.http_status = status or self.status


class InvalidRequest(ApiError):
    """The request is wrong; sending it again unchanged cannot help.  Status 400, or 404, 405, 413, 415, 422."""

    status = 400
    type = "invalid_request"


class NotAuthenticated(ApiError):
    """No valid key or signature came with the request."""

    status = 401
    type = "authentication"


class NotPermitted(ApiError):
    """The key is valid but may not do this."""

    status = 403
    type = "permission"


class Conflict(ApiError):
    """The request contradicts what is there already."""

    status = 409
    type = "conflict"


class RateLimited(ApiError):
    """Too many requests; `Retry-After` says when to come again."""

    status = 429
    type = "rate_limited"


class Unavailable(ApiError):
    """The gateway cannot take this now and has not begun it; `Retry-After` says when to come again."""

    status = 503
    type = "unavailable"


def not_found(what: str, param: str = "id") -> InvalidRequest:
    """The 404 for an object that is not there, or not the caller's."""
    return InvalidRequest("not_found", f"There is no such {what}.", param=param, status=404)
