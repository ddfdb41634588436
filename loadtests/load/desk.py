"""A till's line to the gateway: every call is classified, counted, written into the book, and retried as a till would.

Runs under Locust.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import gevent  # type: ignore[import-untyped]
import orjson
from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager

from loadtests.load.book import Book
from loadtests.load.market import Market, Sale
from loadtests.load.mix import JOURNEYS, Drawer, Journey
from loadtests.load.plan import Plan, Shop
from loadtests.load.tally import Kind, Tally
from loadtests.traffic.arrivals import late_ms

_BOOKED: Final = ("/v1/payments", "/v1/refunds")
"""What the audit reads of: quotes and coupons are no payments."""
_REFUSED: Final = frozenset({429, 503})
_REFUSALS_MAX: Final = 5
_SILENCES_MAX: Final = 30
"""A till that gets no answer asks again for a quarter of a minute: the same number never charges twice."""
_RETRY_AFTER_MAX_S: Final = 5.0
_SILENT_S: Final = 0.5
_REMEMBERED: Final = 500


class GivenUp(Exception):
    """The gateway was too busy each time the till asked."""


class Wrong(Exception):
    """Something that must not be: its text is counted, and the run fails."""


@dataclass(slots=True)
class Process:
    """What all tills of one Locust process share."""

    plan: Plan
    market: Market
    tally: Tally
    book: Book
    chooser: random.Random
    journeys: Drawer[Journey] = field(default_factory=lambda: Drawer(JOURNEYS))
    remembered: deque[tuple[Sale, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """The newest sales, with their payments' ids."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the gateway answered; `object` is empty where it was no JSON object."""

    status: int
    object: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request; `expected` is the status that is right here, and a GET has no body."""

    kind: Kind
    shop: Shop
    method: str
    path: str
    expected: int
    body: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> str | None:
        """The body as it is sent."""
        return None if self.body is None else orjson.dumps(self.body).decode()

    @property
    def all_headers(self) -> dict[str, str]:
        """With the shop's key."""
        return {"Authorization": f"Bearer {self.shop.key}", "Content-Type": "application/json", **self.headers}


class Desk:
    """One customer's calls.  `due_s` (monotonic) is when he came: the first answer's time counts from there.

    An answer that was refused before, or did not come, is timed from the first try on.
    """

    def __init__(self, process: Process, session: FastHttpSession, due_s: float | None = None) -> None:
        self._process, self._session, self._due_s = process, session, due_s

    def post(
        self,
        kind: Kind,
        shop: Shop,
        path: str,
        body: dict[str, Any] | None,
        *,
        expected: int = 201,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """POST; raises GivenUp, and Wrong where another status comes than expected."""
        return self._call(Ask(kind, shop, "POST", path, expected, body or {}, headers or {}))

    def get(self, kind: Kind, shop: Shop, path: str) -> Told:
        """GET; raises GivenUp, and Wrong where it is not 200."""
        return self._call(Ask(kind, shop, "GET", path, 200))

    def scan(self, sale: Sale, qr_code: str) -> None:
        """The customer scans the code on display, at the simulator that made it.  Raises Wrong."""
        scanners = self._process.plan.scanners
        # Codes of the bar-code front are addresses of its own, and any wallet pays them (docs/simulators.md)
        front = next((url for url in scanners.values() if qr_code.startswith(f"{url}/")), None)
        document = {"qr_code": qr_code, "payer": f"c-{sale.customer}", "action": "pay"}
        if front is not None:
            document["wallet"] = sale.wallet
        url = f"{front or scanners[sale.wallet]}/_simulator/scan"
        headers = {"Content-Type": "application/json"}
        with self._session.request(
            "POST", url, name=Kind.SCAN, data=orjson.dumps(document).decode(), headers=headers, catch_response=True
        ) as response:
            self._told(response, Kind.SCAN, 200)

    def complain(self, what: str) -> None:
        """Count something wrong that no single answer shows, on Locust's page too."""
        self._process.tally.failed(time.time(), what)
        self._session.request_event.fire(
            request_type="CHECK", name=what, response_time=0, response_length=0,
            exception=AssertionError(what), context={},
        )  # fmt: skip

    def _call(self, ask: Ask) -> Told:
        refusals = silences = 0
        now_s = time.monotonic()
        came_s, self._due_s = min(self._due_s or now_s, now_s), None
        while True:
            told, wait_s = self._try(ask, came_s)
            if wait_s is None:
                return told
            refusals, silences = refusals + (told.status in _REFUSED), silences + (told.status == 0)
            if refusals == _REFUSALS_MAX:
                raise GivenUp
            if silences == _SILENCES_MAX:
                raise Wrong(f"{ask.kind}: no answer, {silences} times")
            gevent.sleep(wait_s)

    def _try(self, ask: Ask, came_s: float) -> tuple[Told, float | None]:
        """One try: the answer, and after how many seconds to come again (None: it is an end)."""
        began_s = time.monotonic()
        with self._session.request(
            ask.method, ask.path, name=ask.kind, data=ask.data, headers=ask.all_headers, catch_response=True
        ) as response:
            self._note(ask, response)
            if response.status_code in _REFUSED:
                return Told(response.status_code, {}), self._refused(response, ask.kind)
            if response.status_code == 0:
                self._process.tally.failed(time.time(), f"{ask.kind}: no answer ({type(response.error).__name__})")
                response.failure("no answer")
                return Told(0, {}), _SILENT_S
            # All that the customer has waited: until Locust served him, and through refusals and silences
            response.request_meta["response_time"] += late_ms(came_s, began_s)
            return self._told(response, ask.kind, ask.expected), None

    def _note(self, ask: Ask, response: ResponseContextManager) -> None:
        if ask.path.startswith(_BOOKED):
            order_no = None if ask.body is None else ask.body.get("merchant_order_no")
            self._process.book.write(ask.shop.id, order_no, ask.body, response.status_code, response.content or b"")

    def _refused(self, response: ResponseContextManager, kind: Kind) -> float:
        """Count a refusal, which is no error; when to come again, a little spread so that not all come at once."""
        retry_after = response.headers.get("retry-after") if response.headers else None
        if retry_after is None:
            response.failure(f"HTTP {response.status_code} without Retry-After")  # type: ignore[no-untyped-call]
            raise Wrong(f"{kind}: HTTP {response.status_code} without Retry-After")
        self._process.tally.at(time.time()).refused[str(response.status_code)] += 1
        response.request_meta["name"] = f"refused, HTTP {response.status_code}"
        response.success()  # type: ignore[no-untyped-call]
        return min(float(str(retry_after)), _RETRY_AFTER_MAX_S) * self._process.chooser.uniform(1.0, 1.5)

    def _told(self, response: ResponseContextManager, kind: Kind, expected: int) -> Told:
        """Count an answer; raises Wrong where it is not what was expected."""
        self._process.tally.answered(time.time(), kind, response.request_meta["response_time"])
        answer = response.content or b""
        document: dict[str, Any] = orjson.loads(answer) if answer[:1] == b"{" else {}
        if response.status_code != expected:
            error = document.get("error")
            code = error.get("code") if isinstance(error, dict) else error
            response.failure(f"HTTP {response.status_code} {code}")  # type: ignore[no-untyped-call]
            raise Wrong(f"{kind}: HTTP {response.status_code} {code} instead of {expected}")
        response.success()  # type: ignore[no-untyped-call]
        return Told(response.status_code, document)
