"""One try of a delivery: sign what was written, post it, and judge the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from gateway.webhooks.addresses import AddressRefused, AddressRules
from gateway.webhooks.lines import LineKey
from gateway.webhooks.posting import Poster, PostFailed
from gateway.webhooks.results import ResultRow, Verdict
from gateway.webhooks.schedule import next_wait_s
from gateway.webhooks.signing import signed_headers

_GONE: Final = 410
_ASKS_FOR_TIME: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A leased delivery.  `tries` were made since it was last asked for; `secrets` are those in force now."""

    event_id: str
    merchant_id: str
    line: LineKey
    lease_token: int
    tries: int
    url: str
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    is_wanted: bool = True
    """Its endpoint is switched on; always so for a payment's notify_url."""

    def result(
        self,
        verdict: Verdict,
        *,
        http_status: int | None = None,
        error: str | None = None,
        duration_ms: int = 0,
        wait_s: float | None = None,
    ) -> ResultRow:
        """What became of this try."""
        return ResultRow(
            self.event_id,
            self.line.endpoint_id,
            self.merchant_id,
            self.lease_token,
            verdict,
            http_status,
            error,
            duration_ms,
            wait_s,
        )


class Sender:
    """Takes single tries."""

    def __init__(self, poster: Poster, rules: AddressRules, timeout_s: float) -> None:
        self._poster = poster
        self._rules = rules
        self._timeout_s = timeout_s

    async def send(self, delivery: Delivery) -> ResultRow:
        """Try once.  Whatever the other side does ends in a row within the time allowed."""
        if not delivery.is_wanted:
            return delivery.result(Verdict.CANCELLED)
        began = time.monotonic()
        status, error, retry_after_s = None, None, None
        try:
            target = self._rules.target(delivery.url)
            headers = signed_headers(delivery.secrets, delivery.event_id, int(time.time()), delivery.body)
            reply = await self._poster.post(target, headers, delivery.body, self._timeout_s)
        except PostFailed as failure:
            error = failure.code
        except AddressRefused:
            error = "address_refused"
        else:
            status = reply.status
            retry_after_s = reply.retry_after_s if status in _ASKS_FOR_TIME else None
            error = "redirect" if 300 <= status < 400 else None
        verdict, wait_s = _judge(delivery.tries + 1, status, retry_after_s)
        duration_ms = round((time.monotonic() - began) * 1000)
        return delivery.result(verdict, http_status=status, error=error, duration_ms=duration_ms, wait_s=wait_s)


def _judge(tries: int, status: int | None, retry_after_s: int | None) -> tuple[Verdict, float | None]:
    """What a try leads to, and the wait until the next one."""
    if status is not None and 200 <= status < 300:
        return Verdict.SUCCEEDED, None
    if status == _GONE:
        return Verdict.FAILED, None
    wait_s = next_wait_s(tries, retry_after_s)
    return (Verdict.FAILED, None) if wait_s is None else (Verdict.PENDING, wait_s)


def is_gone(row: ResultRow) -> bool:
    """Whether the receiver has said that it wants nothing any more."""
    return row.http_status == _GONE
