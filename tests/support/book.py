"""The tills' own book and a till as it stands in a shop: it sends the same request again until it knows the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, TypeGuard

import httpx
import orjson

from gateway.kernel.clock import rfc3339, utc_now
from tests.support.many_pools import ManyPools
from tests.support.till import FINAL

_REFUSED_FOR_NOW: Final = frozenset({429, 503})
_RETRY_S_MAX: Final = 0.5
"""Tests are in a hurry: what the gateway asks a till to wait is cut to this."""


class ClientBook:
    """What the tills asked and were told, as JSON lines for the audit; each line is written out at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._file: IO[bytes] = path.open("ab", buffering=0)

    def write(self, order: Mapping[str, Any], answer: httpx.Response | None) -> None:
        """Note one request and its answer; None where none came."""
        line = {
            "time": rfc3339(utc_now()),
            "merchant_order_no": order.get("merchant_order_no"),
            "request": dict(order),
            "http_status": None if answer is None else answer.status_code,
            "answer": None if answer is None else _document(answer),
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self.lines += 1

    def close(self) -> None:
        """No more lines."""
        self._file.close()


@dataclass(slots=True)
class PatientTill:
    """Sends an order to any gateway, and the same order again until it has an end; every answer goes into the book.

    `told` counts the answers by HTTP status, and by the name of the error those that never came.
    """

    urls: Sequence[str]
    key: str
    book: ClientBook
    told: Counter[str] = field(default_factory=Counter)
    keep_alive: bool = True
    rng: random.Random = field(default_factory=random.Random)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=15,
            trust_env=False,
            transport=ManyPools(keep_alive=self.keep_alive),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def ask(
        self, order: Mapping[str, Any], *, gateway: int = 0, wait_s: int | None = None, timeout_s: float = 15
    ) -> httpx.Response | None:
        """One request; None where no answer came."""
        headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
        return await self._send(order, gateway, "/v1/payments", json=dict(order), headers=headers, timeout=timeout_s)

    async def cancel(self, order: Mapping[str, Any], payment_id: str, *, gateway: int = 0) -> httpx.Response | None:
        """POST /v1/payments/{id}/cancel; None where no answer came."""
        return await self._send(
            order, gateway, f"/v1/payments/{payment_id}/cancel", headers={"Prefer": "wait=1"}, timeout=15
        )

    async def ask_refund(
        self, request: Mapping[str, Any], *, gateway: int = 0, wait_s: int | None = None
    ) -> httpx.Response | None:
        """POST /v1/refunds; None where no answer came."""
        headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
        return await self._send(request, gateway, "/v1/refunds", json=dict(request), headers=headers, timeout=15)

    async def refund(self, request: Mapping[str, Any], *, gateway: int = 0, within_s: float = 60) -> dict[str, Any]:
        """The refund once it has an end: the same request is sent until then.  Other refusals are AssertionErrors."""
        began = time.monotonic()
        while True:
            answer = await self.ask_refund(request, gateway=gateway, wait_s=1)
            gateway += 1
            if answer is not None and answer.status_code == 201:
                refund: dict[str, Any] = answer.json()
                if refund["status"] != "pending":
                    return refund
            elif answer is not None:
                assert answer.status_code in _REFUSED_FOR_NOW, f"{answer.status_code}: {answer.text}"
            assert time.monotonic() < began + within_s, f"no end: {_shown(answer)}"
            await asyncio.sleep(self.rng.uniform(0.02, 0.1))

    async def ring_up(
        self,
        order: Mapping[str, Any],
        *,
        gateway: int = 0,
        wait_s: int | None = None,
        within_s: float = 60,
        cancel_after_s: float | None = None,
    ) -> dict[str, Any]:
        """The payment once it has an end.  A 4xx, a 500 or no end in time is an AssertionError.

        With `cancel_after_s` the till gives up then and cancels, as often as it takes.
        """
        began = time.monotonic()
        while True:
            answer = await self.ask(order, gateway=gateway, wait_s=wait_s)
            if cancel_after_s is not None and time.monotonic() > began + cancel_after_s and _is_open(answer):
                answer = await self.cancel(order, answer.json()["id"], gateway=gateway)
            gateway += 1
            pause_s = self.rng.uniform(0.02, 0.1)
            if answer is not None and answer.status_code in {200, 201}:
                payment: dict[str, Any] = answer.json()
                if payment["status"] in FINAL and payment["reversal"] != "pending":
                    return payment
            elif answer is not None:
                assert answer.status_code in _REFUSED_FOR_NOW, f"{answer.status_code}: {answer.text}"
                pause_s += min(float(answer.headers["retry-after"]), _RETRY_S_MAX)
            assert time.monotonic() < began + within_s, f"no end for {order['merchant_order_no']}: {_shown(answer)}"
            await asyncio.sleep(pause_s)

    async def _send(self, order: Mapping[str, Any], gateway: int, path: str, **request: Any) -> httpx.Response | None:
        try:
            answer = await self.client.post(f"{self.urls[gateway % len(self.urls)]}{path}", **request)
        except httpx.TransportError as error:
            self.told[type(error).__name__] += 1
            self.book.write(order, None)
            return None
        self.told[str(answer.status_code)] += 1
        self.book.write(order, answer)
        return answer


def _is_open(answer: httpx.Response | None) -> TypeGuard[httpx.Response]:
    return answer is not None and answer.status_code == 201 and answer.json()["status"] not in FINAL


def _document(answer: httpx.Response) -> Any:
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return answer.text


def _shown(answer: httpx.Response | None) -> str:
    return "no answer" if answer is None else f"{answer.status_code} {answer.text}"
