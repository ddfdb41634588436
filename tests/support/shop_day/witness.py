"""Stands between a client and the wire: every request and answer goes into the tills' book, with the time it took."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.support.book import ClientBook

_DEFAULT_WAIT_S: Final = 10.0
_BOOKED: Final = ("/v1/payments", "/v1/refunds")


@dataclass(frozen=True, slots=True)
class Answered:
    """One request; `status` is None where no answer came, `wait_s` is what the till asked for."""

    what: str
    wait_s: float
    took_s: float
    status: int | None


@dataclass(slots=True)
class Witness:
    """Everything that all tills asked and were told."""

    book: ClientBook
    answers: list[Answered] = field(default_factory=list)

    def transport(self) -> WitnessedTransport:
        """For one client."""
        return WitnessedTransport(self)

    def late(self, margin_s: float) -> list[Answered]:
        """Answers that came later than the till's wait and this."""
        return [one for one in self.answers if one.took_s > one.wait_s + margin_s]

    def unanswered(self) -> list[Answered]:
        """Requests whose connection was lost, or that were told to come again."""
        return [one for one in self.answers if one.status is None or one.status in {429, 500, 502, 503, 504}]

    def note(self, request: httpx.Request, answer: httpx.Response | None, took_s: float) -> None:
        """One request and what came of it."""
        prefer = request.headers.get("prefer", "")
        wait_s = float(prefer.removeprefix("wait=")) if prefer.startswith("wait=") else _DEFAULT_WAIT_S
        what = f"{request.method} {request.url.path}"
        self.answers.append(Answered(what, wait_s, took_s, None if answer is None else answer.status_code))
        if request.url.path.startswith(_BOOKED):
            self.book.write(_document(request), answer)


class WitnessedTransport(httpx.AsyncBaseTransport):
    """HTTP as it is, with the witness beside it."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._wire = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=100))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and read the whole answer before anybody else does."""
        began = time.monotonic()
        try:
            answer = await self._wire.handle_async_request(request)
            await answer.aread()
        except httpx.TransportError:
            self._witness.note(request, None, time.monotonic() - began)
            raise
        self._witness.note(request, answer, time.monotonic() - began)
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()


def _document(request: httpx.Request) -> dict[str, Any]:
    """The body that was sent; nothing where there was none."""
    read: dict[str, Any] = json.loads(request.content) if request.content else {}
    return read
