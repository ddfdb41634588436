"""The baseline's two transactions, one statement at a time over a pool of connections."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from gateway.ledger.postings import Transfer
from loadtests.baseline.campaign import Campaign
from loadtests.baseline.schemas import PaymentRequest

SQL: Final = named_statements("loadtests.baseline", "statements.sql")


class Exhausted(Exception):
    """The budget has not enough left: nothing of the intent was written."""


class Store:
    """Payments in PostgreSQL.  asyncpg keeps every statement prepared on each connection."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def find_key(self, secret_hash: bytes) -> asyncpg.Record | None:
        """Merchant id and name behind a key."""
        return await self._pool.fetchrow(SQL["find_key"], secret_hash)

    async def campaign(self) -> Campaign | None:
        """The campaign in force."""
        row = await self._pool.fetchrow(SQL["campaign"])
        return None if row is None else Campaign(*[row[name] for name in Campaign._fields])

    async def find(self, merchant_id: str, merchant_order_no: str) -> asyncpg.Record | None:
        """The payment with that order number."""
        return await self._pool.fetchrow(SQL["find_payment"], merchant_id, merchant_order_no)

    async def add(
        self,
        *,
        payment_id: str,
        merchant_id: str,
        account_id: str,
        request: PaymentRequest,
        fingerprint: bytes,
        send_within_s: float,
        campaign: Campaign | None,
    ) -> asyncpg.Record | None:
        """Make the intent durable with its discount; None where the order number is taken.  Raises Exhausted."""
        discount = 0 if campaign is None else campaign.discount(request.amount)
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                SQL["add_payment"],
                payment_id,
                merchant_id,
                request.merchant_order_no,
                request.amount,
                request.currency,
                account_id,
                request.store_id,
                request.terminal_id,
                orjson.dumps(request.metadata).decode() if request.metadata else None,
                fingerprint,
                float(request.expires_in),
                request.amount - discount,
            )
            if row is None:
                return None
            await connection.execute(SQL["add_attempt"], payment_id, account_id, send_within_s)
            await connection.execute(SQL["add_event"], payment_id, 1, "payment.created", None, "processing")
            if campaign is not None and discount:
                await _take(connection, payment_id, campaign, discount)
            return row

    async def complete(
        self,
        payment_id: str,
        *,
        status: str,
        attempt_state: str,
        channel_trade_no: str | None = None,
        channel_code: str | None = None,
        failure_code: str | None = None,
        payer_paid: int | None = None,
        payer_hash: bytes | None = None,
        paid_at: datetime | None = None,
        transfers: tuple[Transfer, ...] = (),
    ) -> asyncpg.Record | None:
        """Make the outcome durable: guarded transition, attempt, event, postings; None where it was over already."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL["complete_payment"], payment_id, status, channel_trade_no, failure_code)
            if row is None:
                return None
            if status == "failed":
                await connection.execute(SQL["give_back_budget"], payment_id)
            await connection.execute(
                SQL["complete_attempt"],
                payment_id,
                attempt_state,
                channel_trade_no,
                channel_code,
                payer_paid,
                payer_hash,
                paid_at,
            )
            await connection.execute(
                SQL["add_event"], payment_id, row["version"], f"payment.{status}", "processing", status
            )
            if transfers:
                await connection.executemany(
                    SQL["add_transfer"],
                    [
                        (payment_id, t.seq, t.kind, t.debit, t.credit, t.amount.amount_fen, t.amount.currency)
                        for t in transfers
                    ],
                )
            return row


async def _take(connection: Connection, payment_id: str, campaign: Campaign, discount: int) -> None:
    funding = [{"sponsor": part.sponsor, "amount": part.amount.amount_fen} for part in campaign.funding(discount)]
    values = (payment_id, campaign.id, campaign.name, discount, orjson.dumps(funding).decode())
    await connection.execute(SQL["add_redemption"], *values)
    if await connection.execute(SQL["take_budget"], campaign.id, discount) != "UPDATE 1":
        raise Exhausted
