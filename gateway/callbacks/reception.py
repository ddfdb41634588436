"""From the raw bytes of a notification to its acknowledgement: verify, compare with our own row, write down, answer.

What is not verified, or not for this account, changes nothing and is never acknowledged.  What cannot be written down
in time is refused in the channel's words, so that the channel tells it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

import asyncpg

from gateway.callbacks.applying import Applying
from gateway.callbacks.callback import Callback
from gateway.callbacks.inbox import Inbox
from gateway.database.batches import BROKEN
from gateway.kernel.errors import ApiError, not_found
from gateway.kernel.metrics import CALLBACKS
from gateway.kernel.recording import Fact
from gateway.tracing.tracing import NOT_TRACED, Tracing, Work
from routing.accounts.book import Account, AccountBook
from routing.channels.notifications import Acknowledgement, Notification, NotificationRefused

_log = logging.getLogger("mashang.callbacks")
_ANSWER_S: Final = 1.0
"""WeChat counts an answer that takes five seconds as none; a refusal makes it tell the same again."""
_WRITERS_MAX: Final = 3
"""The pool's other connections are for payments."""
_WAITING_MAX: Final = 256
_APPLYING_MAX: Final = 32
_DRAIN_S: Final = 5.0
_LOGGED_EVERY_S: Final = 60.0
"""Forged messages fill no log: each reason is told once a minute for each account."""


class Reception:
    """One per gateway process."""

    def __init__(
        self,
        accounts: AccountBook,
        inbox: Inbox,
        applying: Applying,
        tracing: Tracing = NOT_TRACED,
        *,
        worker_after_s: float,
    ) -> None:
        self._accounts = accounts
        self._inbox = inbox
        self._applying = applying
        self._tracing = tracing
        self._worker_after_s = worker_after_s
        self._writers = asyncio.Semaphore(_WRITERS_MAX)
        self._waiting = 0
        self._running: set[asyncio.Task[None]] = set()
        self._logged: dict[tuple[str, str], float] = {}

    async def receive(self, channel: str, account_id: str, headers: Mapping[str, str], body: bytes) -> Acknowledgement:
        """The answer to one message; header names are in lower case.  Raises a 404 for an account that is not there."""
        account = self._accounts.get(account_id)
        if account is None or account.kind != channel:
            CALLBACKS.labels("unknown", "unknown_account").inc()
            raise not_found("channel account", "account")
        words = account.channel.acknowledgements
        try:
            callback = Callback.of(account_id, _read(account, headers, body))
            is_new = await self._take_in(callback, headers, body)
        except NotificationRefused as refusal:
            self._refused(account_id, refusal.reason)
            return words.refused
        except (*BROKEN, asyncpg.PostgresError) as error:
            self._refused(account_id, "unavailable", type(error).__name__)
            return Acknowledgement(503, words.refused.content_type, words.refused.body)
        CALLBACKS.labels(account_id, "taken_in" if is_new else "repeated").inc()
        if is_new:
            self._begin_to_apply(callback)
        return words.accepted

    async def drain(self) -> None:
        """Wait until nothing is being applied; what is left then is applied by the worker."""
        if self._running:
            await asyncio.wait(self._running, timeout=_DRAIN_S)

    async def _take_in(self, callback: Callback, headers: Mapping[str, str], body: bytes) -> bool:
        if self._waiting >= _WAITING_MAX:
            raise TimeoutError
        self._waiting += 1
        try:
            async with asyncio.timeout(_ANSWER_S), self._writers:
                return await self._inbox.take_in(callback, headers, body, worker_after_s=self._worker_after_s)
        finally:
            self._waiting -= 1

    def _begin_to_apply(self, callback: Callback) -> None:
        """Right behind the acknowledgement; where too much is at work already, the worker does it."""
        if len(self._running) < _APPLYING_MAX:
            task = asyncio.create_task(self._apply(callback))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _apply(self, callback: Callback) -> None:
        try:
            with self._tracing.work(Work.CALLBACK, callback.payment_id, {Fact.ACCOUNT: callback.account_id}):
                await self._applying.handle(callback)
        except (*BROKEN, asyncpg.PostgresError, ApiError) as error:
            _log.warning("a callback is left to the worker", extra={"error": type(error).__name__})
        except Exception:  # it is in the inbox: nothing is lost
            _log.exception("a callback could not be applied", extra={"payment_id": callback.payment_id})

    def _refused(self, account_id: str, reason: str, error: str | None = None) -> None:
        CALLBACKS.labels(account_id, reason).inc()
        now = time.monotonic()
        if now >= self._logged.get((account_id, reason), now):
            self._logged[account_id, reason] = now + _LOGGED_EVERY_S
            _log.warning("callbacks are refused", extra={"account": account_id, "reason": reason, "error": error})


def _read(account: Account, headers: Mapping[str, str], body: bytes) -> Notification:
    """Verified by the account's credentials, or by those that it had before while both are good."""
    try:
        return account.channel.read_notification(headers, body)
    except NotificationRefused:
        if account.previous is None:
            raise
        return account.previous.read_notification(headers, body)
