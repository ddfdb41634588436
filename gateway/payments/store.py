"""Reads payments from PostgreSQL, and the few writes that are not an intent or an outcome."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

from gateway.database.pool import named_statements
from gateway.kernel.errors import Unavailable
from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Currency, Money
from gateway.kernel.secrets import Vault
from gateway.ledger.postings import Kind, Transfer
from gateway.payments.payment import LateCaptureView, Payment
from gateway.payments.states import Status
from promotions.redemption import Redemption
from routing.channels.base import Wallet

_LISTS_MAX: Final = 2
"""A list whose filter finds little reads all that a merchant has: the other connections are for payments."""
_LIST_WAIT_S: Final = 2.0
_SQL: Final = named_statements("gateway.payments", "statements.sql")


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which of a merchant's payments to list; None leaves a condition out."""

    status: Status | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    operator_id: str | None = None
    method: str | None = None
    wallet: Wallet | None = None
    reversal: str | None = None
    in_review: bool | None = None


class PaymentStore:
    """Every read is scoped to a merchant, but for operations' own: another merchant's payment is not found."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._lists = asyncio.Semaphore(_LISTS_MAX)

    async def find(self, merchant_id: str, payment_id: str) -> Payment | None:
        """By its id."""
        record = await self._pool.fetchrow(_SQL["find"], payment_id, merchant_id)
        return None if record is None else (await self.whole([record]))[0]

    async def find_anywhere(self, payment_id: str) -> Payment | None:
        """By its id, whoever's it is: for operations only."""
        merchant_id = await self._pool.fetchval(_SQL["merchant_of"], payment_id)
        return None if merchant_id is None else await self.find(merchant_id, payment_id)

    async def find_by_order_no(self, merchant_id: str, merchant_order_no: str) -> Payment | None:
        """By the merchant's own number."""
        payment_id = await self._pool.fetchval(
            _SQL["find_order_no"],
            merchant_id,
            merchant_order_no,
        )
        return None if payment_id is None else await self.find(merchant_id, payment_id)

    async def outlived(self, merchant_id: str, merchant_order_no: str) -> bool:
        """Whether the number is bound to a payment whose month was taken out of the database (gateway.retention)."""
        payment_id = await self._pool.fetchval(_SQL["find_order_no"], merchant_id, merchant_order_no)
        return payment_id is not None and await self.find(merchant_id, payment_id) is None

    async def payment_of_key(self, merchant_id: str, idempotency_key: str) -> str | None:
        """The payment to which an idempotency key is bound."""
        found: str | None = await self._pool.fetchval(_SQL["find_key"], merchant_id, idempotency_key)
        return found

    async def replacement_of(self, merchant_id: str, payment_id: str) -> str | None:
        """The payment that replaces another one."""
        found: str | None = await self._pool.fetchval(_SQL["find_replacement"], merchant_id, payment_id)
        return found

    async def bind_key(self, merchant_id: str, idempotency_key: str, payment_id: str) -> str:
        """Bind a key to an existing payment; returns the payment to which it is bound, perhaps another one."""
        await self._pool.execute(
            _SQL["bind_key"],
            merchant_id,
            idempotency_key,
            payment_id,
        )
        return await self.payment_of_key(merchant_id, idempotency_key) or payment_id

    async def list(
        self, merchant_id: str, wanted: ListFilter, limit: int, starting_after: str | None
    ) -> Sequence[Payment]:
        """A merchant's payments, newest first, at most `limit`, after that id.  Raises Unavailable, like all reads."""
        try:
            await asyncio.wait_for(self._lists.acquire(), _LIST_WAIT_S)
        except TimeoutError:
            raise Unavailable("busy", "Too many lists are being read: try again.", retry_after_s=1) from None
        try:
            records = await self._pool.fetch(
                _SQL["list"],
                merchant_id,
                starting_after,
                wanted.status,
                wanted.created_from,
                wanted.created_to,
                wanted.store_id,
                wanted.terminal_id,
                wanted.operator_id,
                wanted.method,
                wanted.wallet,
                wanted.reversal,
                wanted.in_review,
                limit,
            )
        finally:
            self._lists.release()
        return await self.whole(records)

    async def request_fields(self, payment: Payment) -> Mapping[str, Any] | None:
        """The validated fields of the request that made the payment; None where they were erased."""
        sealed = await self._pool.fetchval(_SQL["request_sealed"], payment.id, payment.merchant_id)
        if sealed is None:
            return None
        fields: Mapping[str, Any] = orjson.loads(self._vault.open(sealed, payment.id.encode()))
        return fields

    async def with_requests(
        self, keys: Sequence[tuple[str, str]]
    ) -> Mapping[str, tuple[Payment, Mapping[str, Any] | None]]:
        """Payments (by their ids and merchants) with the fields of their requests, None where they were erased.

        What stands in rows of its own (redemptions, reasons, late captures) is left out.
        """
        records = await self._pool.fetch(_SQL["whole_rows"], [key[0] for key in keys], [key[1] for key in keys])
        return {record["id"]: (payment_of(record), self._request_of(record)) for record in records}

    def _request_of(self, record: asyncpg.Record) -> Mapping[str, Any] | None:
        sealed = record["request_sealed"]
        return None if sealed is None else orjson.loads(self._vault.open(sealed, record["id"].encode()))

    async def request_fingerprint(self, payment: Payment) -> bytes:
        """The keyed hash of those fields, which outlives their erasure."""
        found: bytes = await self._pool.fetchval(
            _SQL["request_fingerprint"],
            payment.id,
            payment.merchant_id,
        )
        return found

    async def hand_over(self, payment_id: str, after_s: float, tries: int) -> None:
        """Let the worker go on with an unresolved payment after so many seconds."""
        await self._pool.execute(
            _SQL["hand_over"],
            payment_id,
            after_s,
            tries,
        )

    async def watch(self, payment: Payment) -> None:
        """Have the worker look at every attempt again: money seems to have arrived for one that is over."""
        await self._pool.execute(
            _SQL["watch"],
            payment.id,
            payment.merchant_id,
        )

    async def mark_for_review(self, payment: Payment, reason: str) -> None:
        """Leave an unresolved payment to a person: nothing automatic touches it any more."""
        async with self._pool.acquire() as connection, connection.transaction():
            marked = await connection.execute(
                _SQL["mark_for_review"], payment.id, payment.merchant_id, reason, payment.attempt_seq
            )
            if marked == "UPDATE 1":  # it has not been decided meanwhile: then its task may be another one
                await connection.execute(_SQL["drop_task"], payment.id)

    async def booked(self, payment: Payment) -> tuple[Transfer, ...]:
        """What is in the books for a payment; nothing before its capture, so that is not asked."""
        if not payment.status.is_final:
            return ()
        records = await self._pool.fetch(_SQL["booked"], payment.id, payment.merchant_id)
        return tuple(
            Transfer(
                record["seq"],
                record["kind"],
                record["debit"],
                record["credit"],
                Money(record["amount"], Currency(record["currency"])),
            )
            for record in records
        )

    async def has_booked_capture(self, payment: Payment) -> bool:
        """Whether the payment's own capture is in the books, booked back or not; late captures are not its own."""
        return any(transfer.seq == Kind.CAPTURE for transfer in await self.booked(payment))

    async def rests(self, payment: Payment, seconds: float) -> bool:
        """Whether the worker has looked at the payment since it was woken, and will not again for so many seconds."""
        found: bool = await self._pool.fetchval(_SQL["rests"], payment.id, seconds)
        return found

    async def fail_reversal(self, payment: Payment, lease_token: int, task_created_at: datetime) -> None:
        """The channel will not reverse: the payment stands as it is."""
        await self._pool.execute(_SQL["fail_reversal"], payment.id, payment.merchant_id, lease_token, task_created_at)

    async def begin_reversal(self, payment: Payment) -> bool:
        """Shut out captures before the gateway itself reverses.

        False where the payment has just been decided, or is on another attempt.
        """
        begun = await self._pool.execute(_SQL["begin_reversal"], payment.id, payment.merchant_id, payment.attempt_seq)
        return bool(begun == "UPDATE 1")

    async def request_reversal(self, payment: Payment) -> bool:
        """Mark a payment to be reversed and wake the worker; False where it has left the state it was read in."""
        async with self._pool.acquire() as connection, connection.transaction():
            marked = await connection.execute(
                _SQL["request_reversal"],
                payment.id,
                payment.merchant_id,
                payment.status,
            )
            if marked != "UPDATE 1":
                return False
            await connection.execute(
                _SQL["wake"],
                payment.id,
                payment.merchant_id,
            )
            return True

    async def whole(self, records: Sequence[asyncpg.Record]) -> Sequence[Payment]:
        """Rows of `payments` as values, with the redemptions, reasons and late captures of those that have any."""
        redemptions = await self._redemptions([record for record in records if record["promoted"]])
        reasons = await self._reasons([record for record in records if record["risk_version"] is not None])
        return [
            await self._whole(record, redemptions.get(record["id"], ()), reasons.get(record["id"], ()))
            for record in records
        ]

    async def pricing(self, payment: Payment) -> Sequence[Mapping[str, Any]]:
        """Which campaigns were considered, and why each applied or not (`Considered.to_json`)."""
        stored = await self._pool.fetchval(_SQL["pricing"], payment.id, payment.merchant_id)
        found: Sequence[Mapping[str, Any]] = orjson.loads(stored or "[]")
        return found

    async def _whole(
        self, record: asyncpg.Record, promotions: tuple[Redemption, ...], reasons: tuple[str, ...]
    ) -> Payment:
        payment = payment_of(record, promotions, reasons)
        if not record["late_captures"]:
            return payment
        found = await self._pool.fetch(
            _SQL["late_captures"],
            payment.id,
            payment.merchant_id,
        )
        return payment.with_(late_captures=tuple(LateCaptureView(*row.values()) for row in found))

    async def _redemptions(self, records: Sequence[asyncpg.Record]) -> Mapping[str, tuple[Redemption, ...]]:
        """Of those payments, by the payment's id; one statement for all of them."""
        if not records:
            return {}
        ids, merchants = [record["id"] for record in records], [record["merchant_id"] for record in records]
        found = defaultdict(list)
        for row in await self._pool.fetch(_SQL["redemptions"], ids, merchants):
            found[row["payment_id"]].append(Redemption.of_row(dict(row)))
        return {payment_id: tuple(those) for payment_id, those in found.items()}

    async def _reasons(self, records: Sequence[asyncpg.Record]) -> Mapping[str, tuple[str, ...]]:
        """Which risk rules hit those payments, by the payment's id; one statement for all of them."""
        if not records:
            return {}
        ids, merchants = [record["id"] for record in records], [record["merchant_id"] for record in records]
        return {
            row["payment_id"]: tuple(row["hits"])
            for row in await self._pool.fetch(_SQL["risk_reasons"], ids, merchants)
        }


def payment_of(
    record: asyncpg.Record, promotions: tuple[Redemption, ...] = (), risk_reasons: tuple[str, ...] = ()
) -> Payment:
    """A row of `payments` as a value; its redemptions and its risk decision stand in rows of their own."""
    currency = Currency(record["currency"])
    return Payment(
        id=record["id"],
        merchant_id=record["merchant_id"],
        merchant_order_no=record["merchant_order_no"],
        status=Status(record["status"]),
        amount=Money(record["amount"], currency),
        payable=Money(record["payable"], currency),
        method=record["method"],
        wallet=record["wallet"],
        account_id=record["account_id"],
        attempt_seq=record["attempt_seq"],
        metadata=orjson.loads(record["metadata"] or b"{}"),
        created_at=record["created_at"],
        expires_at=record["expires_at"],
        store_id=record["store_id"],
        terminal_id=record["terminal_id"],
        operator_id=record["operator_id"],
        replaces=record["replaces"],
        risk_decision=record["risk_decision"],
        risk_score=record["risk_score"],
        channel_trade_no=record["channel_trade_no"],
        failure=None if record["failure_code"] is None else FailureCode(record["failure_code"]),
        failure_channel_code=record["failure_channel_code"],
        reversal=record["reversal"],
        review=record["review"],
        amount_refunded=record["amount_refunded"],
        completed_at=record["completed_at"],
        qr_code=record["qr_code"],
        code_id=record["code_id"],
        attempt_at=record["attempt_at"],
        pay_until=record["pay_until"],
        refund_held=record["refund_held"],
        any_wallet=record["any_wallet"],
        promotions=promotions,
        customer=record["customer"],
        risk_reasons=risk_reasons,
    )
