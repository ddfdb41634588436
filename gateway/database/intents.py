"""The first hot write: a payment's intent, durable before anything leaves this machine (sql/intent.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from gateway.database.batches import Batch, columns_of
from gateway.database.decisions import NOTHING_DECIDED, DecisionRow, decision_arguments
from gateway.database.group_commit import GroupCommit
from gateway.database.held import Sender
from gateway.database.parts import without
from gateway.database.pool import BoundedPool, sql
from gateway.database.redemptions import NOTHING_TAKEN, RedemptionRow, Refusal, RefusalKind, Taking, taking_arguments
from gateway.kernel.values import value
from gateway.settings import Settings

SETTLE_WITHIN_S: Final = 8.0
"""How long an intent whose commit is of unknown fate is sent again before the till is told to come back."""


class IntentRow(NamedTuple):
    """One payment to be written: a tuple, for the fields stand in the order of the statement's arrays.

    `account_id` is None for a payment that is refused before any channel is asked (its `status` is `failed` then), and
    for a code that any wallet can pay (`requires_action`).  `event_id` is set where the merchant is told of the event.
    `routing` is why the account was chosen, `pricing` why campaigns applied or not (both JSON); `customer` and
    `card_bin` are keyed hashes.  `risk_version` is the rule set's, None where none is in force.  The decision and the
    redemptions, its last fields, go in arrays of their own.
    """

    payment_id: str
    merchant_id: str
    merchant_order_no: str
    idempotency_key: str | None
    status: str
    amount: int
    payable: int
    currency: str
    method: str
    wallet: str | None
    account_id: str | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    metadata: str | None
    notify_url: str | None
    replaces: str | None
    request_fingerprint: bytes
    request_sealed: bytes
    risk_decision: str
    risk_score: int
    failure_code: str | None
    expires_in_s: int
    send_within_s: float
    recover_after_s: float
    qr_code: str | None
    event_id: str | None
    code_id: str | None = None
    routing: str | None = None
    customer: bytes | None = None
    card_bin: bytes | None = None
    pricing: str | None = None
    risk_version: int | None = None
    decision: DecisionRow | None = None
    redemptions: tuple[RedemptionRow, ...] = ()


@value
class IntentResult:
    """Whether this very statement wrote the payment, and the database's time of it.

    `inserted` is False where the order number or the idempotency key is taken, and also where an earlier sending of
    the same row was committed unseen: the holder of the order number tells which.  It is False too where a campaign
    gives no longer what the row takes of it: then `refusal` says why, and nothing at all was written.
    """

    inserted: bool
    at: datetime
    refusal: Refusal | None = None


def _arguments(rows: Sequence[IntentRow]) -> Sequence[Any]:
    *columns, decisions, _ = columns_of(rows)
    screened = [(row.payment_id, row.decision) for row in rows if row.decision is not None] if decisions else ()
    decided = decision_arguments(screened) if screened else NOTHING_DECIDED
    promoted = [bool(row.redemptions) for row in rows]
    if not any(promoted):
        return [*columns, promoted, *NOTHING_TAKEN, *decided]
    takings = [
        Taking(row.payment_id, row.merchant_id, row.merchant_order_no, row.customer, row.redemptions)
        for row in rows
        if row.redemptions
    ]
    return [*columns, promoted, *taking_arguments(takings), *decided]


def _result(record: asyncpg.Record) -> IntentResult:
    if record[2] is None:
        return IntentResult(record[0], record[1])
    inserted, at, kind, campaign_id, room_fen, room_count = record
    return IntentResult(inserted, at, Refusal(campaign_id, RefusalKind(kind), room_fen, room_count))


def _meeting(row: IntentRow) -> Sequence[tuple[str, ...]]:
    """Order number, idempotency key and replaced payment, each unique per merchant."""
    number = (row.merchant_id, row.merchant_order_no)
    if row.idempotency_key is None and row.replaces is None:
        return (number,)
    return (
        number,
        *([(row.merchant_id, "key", row.idempotency_key)] if row.idempotency_key is not None else []),
        *([(row.merchant_id, "replaces", row.replaces)] if row.replaces is not None else []),
    )


def intent_batch(pool: Sender) -> Batch[IntentRow, IntentResult]:
    """The statement of intents; where no row has a key or replaces a payment, without the parts for those."""
    whole = sql("intent")
    keyless = without(whole, "keys")

    def statement(rows: Sequence[IntentRow]) -> str:
        return keyless if all(row.idempotency_key is None and row.replaces is None for row in rows) else whole

    return Batch(
        pool,
        statement,
        _arguments,
        _result,
        meeting=_meeting,
        settle_within_s=SETTLE_WITHIN_S,
        id_of=lambda row: row.payment_id,
    )


def intents(pool: BoundedPool, settings: Settings) -> GroupCommit[IntentRow, IntentResult]:
    """The group commit of intents."""
    return GroupCommit(
        "intent",
        intent_batch(pool.held()).flush,
        rows_max=settings.batch_rows_max,
        queue_max=settings.batch_queue_max,
        linger_ms_max=settings.batch_linger_ms_max,
    )
