"""The worker's queue in PostgreSQL: tasks are leased in database time, and a lease that was lost cannot be used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import asyncpg

from gateway.database.pool import named_statements

SQL: Final = named_statements("gateway.workers", "statements.sql")


class Purpose(StrEnum):
    """Why a payment is looked at."""

    RESOLVE = "resolve"
    """It has no outcome, or its reversal is pending."""
    WATCH = "watch"
    """It is over, but money may still arrive for it."""
    GIVE_BACK = "give_back"
    """Money arrived too late and has to go back."""
    REFUND = "refund"
    """It has refunds that are pending."""
    REWARD = "reward"
    """It may have earned its customer coupons, or lost them again."""


@dataclass(frozen=True, slots=True)
class Task:
    """One leased task; `tries` counts this time too.

    `asked_at` is the last moment at which a request to give money back that was not answered can have left.
    `send_before` (monotonic clock) is the end of the lease: what moves money is not sent after it, so that a worker
    that slept undoes nothing that another one has brought to an end meanwhile.
    """

    payment_id: str
    merchant_id: str
    purpose: Purpose
    tries: int
    lease_token: int
    created_at: datetime
    now: datetime
    send_before: float
    asked_at: datetime | None = None


class TaskQueue:
    """Leases and returns tasks."""

    def __init__(self, pool: asyncpg.Pool, lease_s: float) -> None:
        self._pool = pool
        self._lease_s = lease_s

    async def lease(self, limit: int) -> list[Task]:
        """Take up to `limit` due tasks that no living worker holds."""
        send_before = time.monotonic() + self._lease_s
        records = await self._pool.fetch(SQL["lease"], limit, self._lease_s)
        return [
            Task(
                payment_id=record["payment_id"],
                merchant_id=record["merchant_id"],
                purpose=Purpose(record["purpose"]),
                tries=record["tries"],
                lease_token=record["lease_token"],
                created_at=record["created_at"],
                now=record["now"],
                send_before=send_before,
                asked_at=record["asked_at"],
            )
            for record in records
        ]

    async def put_off(self, task: Task, after_s: float) -> None:
        """Come back to it after so many seconds, or at once where it was woken meanwhile; not where it was lost."""
        await self._pool.execute(
            SQL["put_off"], task.payment_id, task.purpose, task.lease_token, after_s, task.created_at, task.now
        )

    async def asking(self, task: Task, within_s: float) -> bool:
        """Note that a request to give money back may leave within so many seconds; False where the lease was lost."""
        noted = await self._pool.execute(SQL["asking"], *_lease_of(task), within_s)
        return bool(noted == "UPDATE 1")

    async def answered(self, task: Task) -> None:
        """It has been answered, or never left: what may be on its way is what was before."""
        await self._pool.execute(SQL["answered"], *_lease_of(task), task.asked_at)

    async def begin_anew(self, task: Task, after_s: float) -> None:
        """The same, for a task that has become another one: its tries count from here."""
        await self._pool.execute(
            SQL["begin_anew"], task.payment_id, task.purpose, task.lease_token, task.created_at, after_s
        )

    async def defer(self, task: Task, after_s: float) -> None:
        """The same, for a step that was not taken: it does not count as a try."""
        await self._pool.execute(
            SQL["defer"], task.payment_id, task.purpose, task.lease_token, after_s, task.created_at, task.now
        )

    async def finish(self, task: Task) -> None:
        """The task is done, unless it was woken meanwhile; nothing happens where the lease was lost."""
        await self._pool.execute(
            SQL["finish_unless_woken"], task.payment_id, task.purpose, task.lease_token, task.created_at, task.now
        )


def _lease_of(task: Task) -> tuple[str, str, int, datetime]:
    return task.payment_id, task.purpose, task.lease_token, task.created_at
