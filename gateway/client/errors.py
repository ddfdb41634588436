"""What can go wrong between a merchant and the gateway.

MashangError
├── ApiError          the gateway answered with an error
├── OutcomeUnknown    no answer came, and the request may have been carried out: ask by its number
└── WebhookRefused    a message that is not from the gateway, or is too old
"""

from __future__ import annotations

from typing import Any


class MashangError(Exception):
    """The root of all errors of the client."""


class ApiError(MashangError):
    """An error answer.  `code` stands in the gateway's table at `docs_url`, `param` names the field that is wrong."""

    def __init__(self, status: int, error: dict[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.type = str(error.get("type", ""))
        self.code = str(error.get("code", f"http_{status}"))
        self.message = str(error.get("message", ""))
        self.param: str | None = error.get("param")
        self.request_id: str | None = error.get("request_id")
        self.docs_url: str | None = error.get("docs_url")
        self.retry_after_s = retry_after_s
        super().__init__(f"{self.code}: {self.message}" + (f" (request {self.request_id})" if self.request_id else ""))


class OutcomeUnknown(MashangError):
    """No answer came within all tries, or within the time.

    The same call again, under the same number, is safe and tells the outcome.
    """


class WebhookRefused(MashangError):
    """A message whose signature or time is wrong: answer 400 and change nothing."""
