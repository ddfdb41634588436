"""Takes refunds, lets a till wait for them, and applies what the channels say of them.  One per process.

A refund that was taken is the worker's (gateway.workers.refunding): nothing is sent to a channel from here.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN, database_away
from gateway.database.pool import Connection
from gateway.kernel.business_metrics import REFUNDED, REFUNDS
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Conflict, Unavailable
from gateway.kernel.ids import new_id
from gateway.kernel.looking import look
from gateway.payments.counting import NOBODY_COUNTS, Hears
from gateway.payments.payment import first_difference
from gateway.refunds import commits, steps
from gateway.refunds.commits import Committed, NumberTaken
from gateway.refunds.refund import Refund, RefundOrder, RefundStatus
from gateway.refunds.steps import End, Verdict
from gateway.refunds.store import SQL, RefundStore
from promotions.budget.reservation import DATABASE_ONLY, Pool
from routing.accounts.book import AccountBook
from routing.channels.reports import RefundReport

_log = logging.getLogger("mashang.refunds")
_AT_ONCE_MAX: Final = 2
"""Refunds of one payment wait for each other, each on a connection: the others are for payments."""
_TURN_S: Final = 5.0
_SETTLE_S: Final = 8.0
"""How long a commit of unknown fate is looked into before the merchant is told to come back."""
_PAUSE_S_MAX: Final = 0.25
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Answered:
    """What a merchant is told: the refund, perhaps still pending, and whether an earlier request had made it."""

    refund: Refund
    replayed: bool


class RefundDesk:
    """Composed once per process (gateway.composition)."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        accounts: AccountBook,
        budgets: Pool = DATABASE_ONLY,
        counting: Hears = NOBODY_COUNTS,
    ) -> None:
        self._pool = pool
        self._accounts = accounts
        self._budgets = budgets
        self._counting = counting
        self._turns = asyncio.Semaphore(_AT_ONCE_MAX)
        self.store = RefundStore(pool)

    async def take(self, order: RefundOrder, deadline: Deadline) -> Answered:
        """Take a refund, or find the same one, and wait until it has its end or the deadline is there.

        Raises ApiError for what binds nothing.  A refund that waits for the channel's next turn past the deadline is
        not waited for.
        """
        answered = await self._take(order)
        return Answered(await self._await_end(answered.refund, deadline), answered.replayed)

    async def settle(self, refund: Refund, report: RefundReport) -> Refund:
        """Commit what a verified report decides; returns the refund as it stands then.  Safe to repeat."""
        if refund.status is RefundStatus.PENDING:
            refund = await self.commit(refund, steps.verdict(refund, report))
        return refund if refund.status is RefundStatus.PENDING else await self._compare(refund, report)

    async def commit(self, refund: Refund, verdict: Verdict) -> Refund:
        """Commit a verdict; where another process was first, returns the refund as that one left it."""
        async with self._pool.acquire() as connection:
            if verdict.end is End.OPEN:
                return await self._note(connection, refund, verdict)
            ended = await commits.complete(connection, refund, verdict)
        if ended is None:
            return await self.store.find(refund.merchant_id, refund.id) or refund
        self._tell_of(ended)
        return ended.refund

    async def settle_by_number(self, refund_no: str, report: RefundReport) -> Refund | None:
        """The same by the number under which the channel knows the refund; None where it is no refund of a merchant's.

        (A give-back has such a number too: its payment's task is what knows of it.)
        """
        refund = await self.store.find_by_refund_no(refund_no)
        return None if refund is None else await self.settle(refund, report)

    async def wake(self, refund: Refund) -> None:
        """Have the worker look at a pending refund now."""
        async with self._pool.acquire() as connection:
            await commits.wake(connection, refund)

    async def _take(self, order: RefundOrder) -> Answered:
        """Once, whatever happens to the commit: the number finds what an earlier try has written."""
        refund_id, settling = new_id("ref"), Deadline.after(_SETTLE_S)
        while True:
            try:
                return await self._take_or_replay(order, refund_id)
            except (*BROKEN, asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                if settling.passed:
                    raise database_away() from None
            await asyncio.sleep(random.uniform(0.01, _PAUSE_S_MAX))  # noqa: S311  jitter, not a secret

    async def _take_or_replay(self, order: RefundOrder, refund_id: str) -> Answered:
        number = order.request.merchant_refund_no
        refund = await self.store.find_by_number(order.merchant_id, number)
        if refund is None:
            try:
                async with self._turn(), self._pool.acquire() as connection:
                    taken = await commits.create(connection, order, refund_id, self._accounts)
            except NumberTaken:
                refund = await self.store.find_by_number(order.merchant_id, number)
                if refund is None:
                    raise await self._taken_by_another(order) from None
            else:
                self._tell_of(taken)
                refund = taken.refund
                self._counting.refunded(
                    refund.merchant_id, refund.payment_id, refund.id, refund.amount, refund.created_at
                )
                return Answered(taken.refund, replayed=False)
        await self._check_same(order, refund)
        return Answered(refund, replayed=refund.id != refund_id)

    async def _check_same(self, order: RefundOrder, refund: Refund) -> None:
        """Raises Conflict naming the first field in which the order differs from the refund's own request."""
        if (difference := first_difference(order.fields, refund.fields)) is not None:
            raise Conflict(
                "refund_no_reused",
                f"merchant_refund_no {refund.merchant_refund_no} belongs to another request: “{difference}” differs. "
                "Use a new number.",
                param=difference,
            )
        if order.idempotency_key is None:
            return
        await self._pool.execute(SQL["bind_key"], order.merchant_id, order.idempotency_key, refund.id)
        if await self._pool.fetchval(SQL["find_key"], order.merchant_id, order.idempotency_key) != refund.id:
            raise _key_taken()

    async def _taken_by_another(self, order: RefundOrder) -> Conflict:
        """The key is another refund's; or the number is, of one whose month was taken out of the database."""
        number = order.request.merchant_refund_no
        if await self._pool.fetchval(SQL["find_number"], order.merchant_id, number) is None:
            return _key_taken()
        return Conflict(
            "refund_no_reused",
            f"merchant_refund_no {number} belongs to a refund of long ago, no longer stored. Use a new number.",
            param="merchant_refund_no",
        )

    async def _await_end(self, refund: Refund, deadline: Deadline) -> Refund:
        while refund.status is RefundStatus.PENDING and refund.review is None and not deadline.passed:
            queued = refund.asked_at is None and (refund.next_at - refund.read_at).total_seconds() > deadline.left_s
            if queued:
                break
            await asyncio.sleep(min(_POLL_S, deadline.left_s))
            try:
                found = await look(self.store.find(refund.merchant_id, refund.id), deadline, None)
            except BROKEN:  # it is taken, and the worker's: an error would tell the merchant otherwise
                continue
            refund = found or refund
        return refund

    async def _note(self, connection: Connection, refund: Refund, verdict: Verdict) -> Refund:
        noted = await commits.note(connection, refund, verdict)
        if noted.review is not None and refund.review is None:
            _log.error("a refund needs a person", extra={**_names(refund), "review": noted.review})
        return noted

    async def _compare(self, refund: Refund, report: RefundReport) -> Refund:
        """A refund that is over stays as it is; what says otherwise is a person's business."""
        if not steps.contradicts(refund, report):
            return refund
        async with self._pool.acquire() as connection:
            return await self._note(connection, refund, Verdict(End.OPEN, review=steps.CONTRADICTED))

    def _tell_of(self, committed: Committed) -> None:
        """Tell the log, the metrics, and the pool of what went back to budgets."""
        tell_of(committed)
        for part in committed.given_back:
            self._budgets.give_back(part.campaign_id, part.day, part.slice, part.fen, part.count)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._turns.acquire(), _TURN_S)
        except TimeoutError:
            raise Unavailable("busy", "Too many refunds are being taken: try again.", retry_after_s=1) from None
        try:
            yield
        finally:
            self._turns.release()


def _key_taken() -> Conflict:
    return Conflict(
        "idempotency_key_reused",
        "This Idempotency-Key belongs to a request with another merchant_refund_no.",
        param="merchant_refund_no",
    )


def tell_of(committed: Committed) -> None:
    """Tell the metrics and the log of a refund that was taken, or that has ended."""
    refund = committed.refund
    account = refund.account_id or "none"
    REFUNDS.labels(refund.status, committed.wallet, account).inc()
    if refund.status is RefundStatus.SUCCEEDED:
        REFUNDED.labels(committed.wallet, account).inc(refund.amount)
    _log.info(
        "refund",
        extra={
            **_names(refund),
            "status": refund.status,
            "wallet": committed.wallet,
            "amount": refund.amount,
            "failure": refund.failure,
        },
    )


def _names(refund: Refund) -> dict[str, object]:
    return {"refund_id": refund.id, "payment_id": refund.payment_id, "channel": refund.account_id}
