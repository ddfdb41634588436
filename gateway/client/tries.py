"""The tries of one call: when each goes out, what it asks for, and when it was the last."""

from __future__ import annotations

import time
from typing import Any, Final

import httpx

from gateway.client.call import Call
from gateway.client.errors import OutcomeUnknown
from gateway.client.retries import RetryPolicy, retry_after_s, tells_the_outcome, worth_another_try
from gateway.client.signing import Identity

_WAIT_S: Final = 10
"""What the gateway takes for a till that does not say how long it waits."""
_CONNECT_S: Final = 5.0
_SHORTEST_S: Final = 0.5


class Tries:
    """All of them together end when the till's wait and the margin are over."""

    def __init__(self, call: Call[Any], url: str, identity: Identity, retries: RetryPolicy) -> None:
        self._call = call
        self._url = url
        self._identity = identity
        self._retries = retries
        self._wait_s = _WAIT_S if call.wait_s is None else call.wait_s
        self._ends = time.monotonic() + self._wait_s + retries.margin_s
        self._sent = 0

    @property
    def left_s(self) -> float:
        """Seconds that are left for all of them."""
        return max(self._ends - time.monotonic(), _SHORTEST_S)

    def request(self) -> httpx.Request:
        """The next try: signed anew, and asking for an answer within what is left of the time."""
        call, left_s = self._call, self.left_s
        headers = {"User-Agent": "mashang-client/0.1", **self._identity.headers(call.method, call.target, call.body)}
        if call.body:
            headers["Content-Type"] = "application/json"
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        if self._sent and call.method == "POST":
            headers["Prefer"] = f"wait={max(0, min(self._wait_s, int(left_s - self._retries.margin_s)))}"
        elif call.wait_s is not None:
            headers["Prefer"] = f"wait={call.wait_s}"
        self._sent += 1
        return httpx.Request(
            call.method,
            httpx.URL(self._url).copy_with(raw_path=call.target.encode()),
            content=call.body or None,
            headers=headers,
            extensions={"timeout": httpx.Timeout(left_s, connect=min(left_s, _CONNECT_S)).as_dict()},
        )

    def pause_after_loss_s(self, error: httpx.TransportError) -> float:
        """Seconds until the next try.  Raises OutcomeUnknown after the last."""
        may_be_sent_again = self._call.repeatable or isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
        pause_s = self._pause_s() if may_be_sent_again else None
        if pause_s is None:
            raise OutcomeUnknown(f"{self._url} did not answer ({self._sent} tries): {_told(error)}") from error
        return pause_s

    def pause_after_s(self, answer: httpx.Response) -> float | None:
        """Seconds until the next try; None where the answer stands."""
        if not worth_another_try(answer):
            return None
        may_be_sent_again = self._call.repeatable or tells_the_outcome(answer)
        pause_s = self._pause_s(retry_after_s(answer)) if may_be_sent_again else None
        if pause_s is None and not tells_the_outcome(answer):
            raise OutcomeUnknown(f"{self._url} answered {answer.status_code} to the last of {self._sent} tries")
        return pause_s

    def _pause_s(self, asked_s: float | None = None) -> float | None:
        """None where no try is left, or no time for one."""
        pause_s = self._retries.next_pause_s(self._sent, asked_s)
        return None if pause_s is None or time.monotonic() + pause_s >= self._ends else pause_s


def _told(error: httpx.TransportError) -> str:
    """What happened; timeouts have no text of their own."""
    return str(error) or type(error).__name__
