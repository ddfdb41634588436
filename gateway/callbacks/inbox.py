"""The inbox in PostgreSQL: verified notifications, sealed, and durable before they are acknowledged; each one once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.callbacks.callback import Callback, Result
from gateway.database.pool import named_statements
from gateway.kernel.secrets import SealBroken, Vault
from routing.channels.notifications import NotificationRefused

_log = logging.getLogger("mashang.callbacks")
SQL: Final = named_statements("gateway.callbacks", "statements.sql")
_EVIDENCE: Final = ("content-type", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature",
                    "wechatpay-signature-type", "wechatpay-timestamp")  # fmt: skip
"""The headers that belong to a message: with its body they prove who sent it."""
_UNREADABLE_RETRY_S: Final = 3_600.0
_COUNTED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Leased:
    """A callback that is to be applied now; `tries` counts this time too."""

    callback: Callback
    tries: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Origin:
    """The attempt of ours that a callback names."""

    merchant_id: str
    account_id: str


class Inbox:
    """One per process."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    async def take_in(
        self, callback: Callback, headers: Mapping[str, str], body: bytes, *, worker_after_s: float
    ) -> bool:
        """Write it down; False where it is there already.  The worker looks at it after so many seconds.

        Raises NotificationRefused (`wrong_account`) where the order was given to another account: nothing is written.
        """
        place, notification = _place(callback.key), callback.notification
        record = await self._pool.fetchrow(
            SQL["take_in"],
            callback.payment_id,
            callback.attempt_seq,
            callback.account_id,
            notification.id,
            notification.order_no,
            notification.refund_no,
            self._vault.seal(callback.report(), place + b":report"),
            self._vault.seal(_message(headers, body), place + b":body"),
            worker_after_s,
        )
        assert record is not None
        if record["account_id"] not in {None, callback.account_id}:
            raise NotificationRefused("wrong_account")
        return record["received_at"] is not None

    async def origin(self, callback: Callback) -> Origin | None:
        """The attempt that it names; None while there is no such row."""
        record = await self._pool.fetchrow(SQL["origin"], callback.payment_id, callback.attempt_seq)
        return None if record is None else Origin(record["merchant_id"], record["account_id"])

    async def lease(self, limit: int, lease_s: float) -> list[Leased]:
        """Up to `limit` callbacks that are due; they come back after the lease unless they are finished.

        One that cannot be opened (sealed with another master key) keeps no other one waiting.
        """
        leased = []
        for record in await self._pool.fetch(SQL["lease"], limit, lease_s):
            try:
                leased.append(self._leased(record))
            except (SealBroken, ValueError, NotificationRefused) as error:
                _log.error(
                    "a callback cannot be read",
                    extra={"payment_id": record["payment_id"], "reason": type(error).__name__},
                )
                await self._pool.execute(SQL["put_off"], *_key(record), _UNREADABLE_RETRY_S)
        return leased

    async def put_off(self, callback: Callback, after_s: float) -> None:
        """Come back to it after so many seconds."""
        await self._pool.execute(SQL["put_off"], *callback.key, after_s)

    async def finish(self, callback: Callback, result: Result) -> bool:
        """It is applied; False where somebody else has finished it meanwhile."""
        return bool(await self._pool.execute(SQL["finish"], *callback.key, result) == "UPDATE 1")

    async def wake(self, payment_id: str, *purposes: str) -> None:
        """Have the worker look at the payment now, where it has a task of such a purpose."""
        await self._pool.execute(SQL["wake"], payment_id, purposes)

    async def waiting(self) -> tuple[int, float]:
        """How many callbacks are not applied yet (at most 10,000 are counted), and for how many seconds."""
        record = await self._pool.fetchrow(SQL["waiting"], _COUNTED_MAX)
        assert record is not None
        return record["waiting"], record["age_s"] or 0.0

    async def drop_bodies(self, older_than_days: int, limit: int) -> int:
        """Drop up to `limit` messages as they came; what they said stays.  Returns how many."""
        dropped: str = await self._pool.execute(SQL["drop_bodies"], older_than_days, limit)
        return int(dropped.rpartition(" ")[2])

    def message(self, callback: Callback, body_sealed: bytes) -> bytes:
        """A message as it came: its headers, an empty line, its body.  Raises SealBroken."""
        return self._vault.open(body_sealed, _place(callback.key) + b":body")

    def opened(self, record: asyncpg.Record) -> Callback:
        """What a row says.  Raises SealBroken."""
        report = self._vault.open(record["report_sealed"], _place(_key(record)) + b":report")
        return Callback.read(record["account_id"], report)

    def _leased(self, record: asyncpg.Record) -> Leased:
        return Leased(self.opened(record), record["tries"], record["age_s"])


def _key(record: asyncpg.Record) -> tuple[str, str, str]:
    return record["payment_id"], record["account_id"], record["notification_id"]


def _place(key: tuple[str, str, str]) -> bytes:
    return ":".join(("callbacks", *key)).encode()


def _message(headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{name}: {headers[name]}\r\n" for name in _EVIDENCE if name in headers]
    return "".join([*lines, "\r\n"]).encode() + body
