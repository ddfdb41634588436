"""Tills under Locust: bar code payments on all wallets, rung up twice, changed by mistake, and asked for again.

Run it with `make load`, or by hand: MASHANG_LOAD_KEY=sk_… MASHANG_LOAD_BOOK=book.jsonl locust -f
loadtests/locustfile.py --host http://127.0.0.1:8000.  Every POST becomes a line of the client's book for the audit.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import IO, Any, Final

import orjson
from locust import between, events, task
from locust.contrib.fasthttp import FastHttpUser

from loadtests.traffic.generator import book_line
from loadtests.traffic.orders import MIX, Orders, new_run_number, spread

KEY_VARIABLE: Final = "MASHANG_LOAD_KEY"
BOOK_VARIABLE: Final = "MASHANG_LOAD_BOOK"
_REMEMBERED: Final = 20

_orders: Final = iter(Orders(new_run_number(), spread(MIX)))


class _Book:
    """The client's book of this Locust process."""

    def __init__(self) -> None:
        path = os.environ.get(BOOK_VARIABLE)
        self._file: IO[bytes] | None = Path(path).open("ab") if path else None  # noqa: SIM115  closed at the end

    def write(self, order_no: bytes, body: bytes, status: int, answer: bytes) -> None:
        """Add a line."""
        if self._file is not None:
            self._file.write(book_line(order_no, body, status, answer))

    def close(self) -> None:
        """Write what is left."""
        if self._file is not None:
            self._file.close()


_book: Final = _Book()
events.quitting.add_listener(lambda **_: _book.close())  # type: ignore[no-untyped-call]


class Till(FastHttpUser):
    """A till: mostly new sales, some repeated after a doubt, a few mistaken, some looked up."""

    wait_time = between(0.1, 0.5)
    connection_timeout = 10.0
    network_timeout = 35.0

    def on_start(self) -> None:
        """Begin with a first sale, so that there is something to repeat."""
        self._paid: deque[tuple[bytes, bytes, dict[str, Any]]] = deque(maxlen=_REMEMBERED)
        self._headers = {
            "Authorization": f"Bearer {os.environ[KEY_VARIABLE]}",
            "Content-Type": "application/json",
        }
        self.sell()

    @task(80)
    def sell(self) -> None:
        """A new sale must succeed."""
        order_no, body = next(_orders)
        payment = self._post(order_no, body, "sell", 201)
        if payment is not None:
            self._paid.append((order_no, body, payment))

    @task(8)
    def repeat(self) -> None:
        """The same request again gives the same payment."""
        if not self._paid:
            return
        order_no, body, payment = self._paid[-1]
        again = self._post(order_no, body, "repeat", 201)
        if again is not None and again["id"] != payment["id"]:
            self._complain("repeat", f"{payment['id']} became {again['id']}")

    @task(2)
    def mistake(self) -> None:
        """Another amount under a number that is taken is refused."""
        if not self._paid:
            return
        order_no, body, _ = self._paid[0]
        changed = orjson.loads(body)
        changed["amount"] += 1
        self._post(order_no, orjson.dumps(changed), "mistake", 409)

    @task(6)
    def look_up(self) -> None:
        """A payment by its id is what the till was told."""
        if self._paid:
            payment = self._paid[-1][2]
            found = self._get(f"/v1/payments/{payment['id']}", "look up")
            if found is not None and found["status"] != payment["status"]:
                self._complain("look up", f"{payment['id']}: {payment['status']} became {found['status']}")

    @task(4)
    def search(self) -> None:
        """A payment by its order number."""
        if self._paid:
            order_no, _, payment = self._paid[0]
            found = self._get(f"/v1/payments?merchant_order_no={order_no.decode()}", "search")
            if found is not None and [row["id"] for row in found["data"]] != [payment["id"]]:
                self._complain("search", f"{order_no.decode()} does not lead to {payment['id']}")

    def _post(self, order_no: bytes, body: bytes, name: str, expected: int) -> dict[str, Any] | None:
        """One POST, noted in the book; the payment where it succeeded, as it must where 201 is expected."""
        with self.client.post(
            "/v1/payments", data=body.decode(), headers=self._headers, name=name, catch_response=True
        ) as response:
            answer = response.content or b""
            _book.write(order_no, body, response.status_code, answer)
            document: dict[str, Any] = orjson.loads(answer) if answer[:1] == b"{" else {}
            if response.status_code != expected:
                response.failure(f"HTTP {response.status_code} instead of {expected}")
                return None
            if expected == 201 and document["status"] != "succeeded":
                response.failure(f"{document['status']}: {document['failure']}")
                return None
            response.success()
            return document

    def _get(self, path: str, name: str) -> dict[str, Any] | None:
        with self.client.get(path, headers=self._headers, name=name, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"HTTP {response.status_code}")
                return None
            document: dict[str, Any] = orjson.loads(response.content)
            return document

    def _complain(self, name: str, what: str) -> None:
        """Count a wrong answer as a failure; the run then ends with a status other than 0."""
        self.environment.events.request.fire(
            request_type="CHECK",
            name=name,
            response_time=0,
            response_length=0,
            exception=AssertionError(what),
            context={},
        )
