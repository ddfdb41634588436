"""Reads refunds from PostgreSQL, and notes what happens to them on their way; ends are committed in commits.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from gateway.kernel.errors import Unavailable
from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Currency
from gateway.payments.numbers import refund_of
from gateway.refunds.refund import Refund, RefundStatus, Share

SQL: Final = named_statements("gateway.refunds", "statements.sql")
_LISTS_MAX: Final = 2
"""A list whose filter finds little reads all that a merchant has: the other connections are for payments."""
_LIST_WAIT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which of a merchant's refunds to list; None leaves a condition out."""

    payment_id: str | None = None
    merchant_refund_no: str | None = None
    status: RefundStatus | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def admits(self, refund: Refund, starting_after: str | None) -> bool:
        """Whether that refund is one of them."""
        return (
            self.payment_id in {None, refund.payment_id}
            and self.status in {None, refund.status}
            and (self.created_from is None or refund.created_at >= self.created_from)
            and (self.created_to is None or refund.created_at < self.created_to)
            and (starting_after is None or refund.id < starting_after)
        )


class RefundStore:
    """Every read but that by a channel's number is scoped to a merchant: another merchant's refund is not found."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._lists = asyncio.Semaphore(_LISTS_MAX)

    async def find(self, merchant_id: str, refund_id: str) -> Refund | None:
        """By its id."""
        record = await self._pool.fetchrow(SQL["find"], refund_id, merchant_id)
        return None if record is None else refund_of_row(record)

    async def find_by_number(self, merchant_id: str, merchant_refund_no: str) -> Refund | None:
        """By the merchant's own number."""
        refund_id = await self._pool.fetchval(SQL["find_number"], merchant_id, merchant_refund_no)
        return None if refund_id is None else await self.find(merchant_id, refund_id)

    async def find_by_refund_no(self, refund_no: str) -> Refund | None:
        """By the number under which the channel knows it; None for give-backs and for numbers of somebody else's."""
        number = refund_of(refund_no)
        if number is None or number.refund_seq is None:
            return None
        payment_id, attempt_seq, refund_seq = number
        record = await self._pool.fetchrow(SQL["find_seq"], payment_id, refund_seq, attempt_seq)
        return None if record is None else refund_of_row(record)

    async def of_payment(self, payment_id: str, merchant_id: str) -> list[Refund]:
        """All refunds of a payment, in their order."""
        return await refunds_of(self._pool, payment_id, merchant_id)

    async def list(
        self, merchant_id: str, wanted: ListFilter, limit: int, starting_after: str | None
    ) -> Sequence[Refund]:
        """A merchant's refunds, newest first, at most `limit`, after that id.  Raises Unavailable, like all reads."""
        if wanted.merchant_refund_no is not None:
            found = await self.find_by_number(merchant_id, wanted.merchant_refund_no)
            return [] if found is None or not wanted.admits(found, starting_after) else [found]
        arguments = [starting_after, wanted.status, wanted.created_from, wanted.created_to, limit]
        statement = SQL["list"]
        if wanted.payment_id is not None:
            statement = SQL["list_of_payment"]
            arguments.append(wanted.payment_id)
        try:
            await asyncio.wait_for(self._lists.acquire(), _LIST_WAIT_S)
        except TimeoutError:
            raise Unavailable("busy", "Too many lists are being read: try again.", retry_after_s=1) from None
        try:
            records = await self._pool.fetch(statement, merchant_id, *arguments)
        finally:
            self._lists.release()
        return [refund_of_row(record) for record in records]

    async def ask(self, refund: Refund, within_s: float) -> datetime | None:
        """Note that the channel is about to be asked, and may take the request in until the moment that is returned.

        None where the refund has ended: then nothing may be asked.
        """
        until: datetime | None = await self._pool.fetchval(SQL["ask"], refund.id, refund.merchant_id, within_s)
        return until

    async def asked(self, refund: Refund) -> None:
        """It has answered: what was sent cannot be taken in later than now."""
        await self._pool.execute(SQL["asked"], refund.id, refund.merchant_id)

    async def unsent(self, refund: Refund, noted: datetime) -> None:
        """Nothing left this machine: it stands as it was before `ask` returned `noted`, unless somebody asked since."""
        await self._pool.execute(
            SQL["unsent"], refund.id, refund.merchant_id, refund.asked_at, refund.last_asked_at, noted
        )

    async def put_off(self, refund: Refund, after_s: float, *, tried: bool) -> None:
        """Look at it again after so many seconds, unless somebody has woken it since it was read."""
        await self._pool.execute(SQL["put_off"], refund.id, refund.merchant_id, after_s, int(tried), refund.next_at)


async def refunds_of(connection: asyncpg.Pool | Connection, payment_id: str, merchant_id: str) -> list[Refund]:
    """All refunds of a payment, in their order, as this connection sees them."""
    records = await connection.fetch(SQL["of_payment"], payment_id, merchant_id)
    return [refund_of_row(record) for record in records]


def refund_of_row(record: asyncpg.Record) -> Refund:
    """A row of `refunds` as a value."""
    return Refund(
        id=record["id"],
        merchant_id=record["merchant_id"],
        payment_id=record["payment_id"],
        merchant_refund_no=record["merchant_refund_no"],
        seq=record["seq"],
        attempt_seq=record["attempt_seq"],
        account_id=record["account_id"],
        amount=record["amount"],
        returned_to_customer=record["returned_to_customer"],
        discount_returned=record["discount_returned"],
        fee_returned=record["fee_returned"],
        funding=tuple([Share(**share) for share in orjson.loads(record["funding"] or b"[]")]),
        currency=Currency(record["currency"]),
        status=RefundStatus(record["status"]),
        reason=record["reason"],
        store_id=record["store_id"],
        terminal_id=record["terminal_id"],
        operator_id=record["operator_id"],
        metadata=orjson.loads(record["metadata"] or b"{}"),
        channel_refund_no=record["channel_refund_no"],
        failure=None if record["failure_code"] is None else FailureCode(record["failure_code"]),
        failure_channel_code=record["failure_channel_code"],
        review=record["review"],
        asked_at=record["asked_at"],
        last_asked_at=record["last_asked_at"],
        tries=record["tries"],
        next_at=record["next_at"],
        created_at=record["created_at"],
        completed_at=record["completed_at"],
        read_at=record["read_at"],
    )
