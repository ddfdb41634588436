"""Rows for the intent and outcome statements, settings for the tests, and what a database holds afterwards."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from gateway.database.failovers import FailoverRow
from gateway.database.intents import IntentRow
from gateway.database.outcomes import OutcomeRow
from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money, share_half_up
from gateway.ledger import postings
from gateway.payments.settle import rows_of
from gateway.payments.states import Event, sources, target
from gateway.settings import Settings

MASTER_KEY: Final = bytes(range(32))
FEE_RATE_MILLIONTHS: Final = 3_800
FAILURE_CODES: Final = {
    Event.DECLINED: FailureCode.CHANNEL_REFUSED,
    Event.UNSENT: FailureCode.CHANNEL_UNAVAILABLE,
    Event.NOT_CREATED: FailureCode.NOT_CREATED,
}
TABLES: Final = {
    "order_numbers": "merchant_id, merchant_order_no, payment_id",
    "idempotency_keys": "merchant_id, key, payment_id",
    "payments": "id, merchant_id, merchant_order_no, status, version, amount, payable, account_id, attempt_seq,"
    " channel_trade_no, failure_code, failure_channel_code, reversal, review, completed_at IS NULL AS open",
    "attempts": "payment_id, merchant_id, seq, account_id, state, channel_trade_no, channel_code, payer_paid",
    "events": "payment_id, merchant_id, seq, type, from_status, to_status",
    "transfers": "payment_id, merchant_id, seq, kind, debit, credit, amount",
    "recovery_tasks": "payment_id, merchant_id, purpose, tries",
    "risk_decisions": "payment_id, merchant_id, version, verdict, score, hits, shadow, no_discount, features, at",
    "risk_cases": "id, merchant_id, kind, payment_id, amount, score",
}


def settings(database_url: str, redis_url: str = "redis://127.0.0.1:1/0", **others: Any) -> Settings:
    """The settings of a gateway on these stores."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        master_key=base64.b64encode(MASTER_KEY).decode(),
        admin_token="an-admin-token-for-tests",
        **others,
    )


def intent(
    payment_id: str,
    merchant_id: str = "mer_1",
    order_no: str | None = None,
    *,
    key: str | None = None,
    account_id: str | None = "wechat_direct",
    amount: int = 2_599,
    description: str = "",
    **changes: Any,
) -> IntentRow:
    """An intent; without an account it is one that was refused before any channel was asked."""
    fields: dict[str, Any] = {
        "payment_id": payment_id,
        "merchant_id": merchant_id,
        "merchant_order_no": order_no or f"no-{payment_id[-12:]}",
        "idempotency_key": key,
        "status": "failed" if account_id is None else "processing",
        "amount": amount,
        "payable": amount,
        "currency": "CNY",
        "method": "barcode",
        "wallet": "wechat",
        "account_id": account_id,
        "store_id": None,
        "terminal_id": None,
        "operator_id": description or None,
        "metadata": None,
        "notify_url": None,
        "replaces": None,
        "request_fingerprint": b"f" * 16,
        "request_sealed": b"sealed",
        "risk_decision": "approve",
        "risk_score": 0,
        "failure_code": "no_channel" if account_id is None else None,
        "expires_in_s": 60,
        "send_within_s": 5.0,
        "recover_after_s": 15.0,
        "qr_code": None,
        "event_id": None,
    }
    return IntentRow(**(fields | changes))


def fee_of(payable: Money) -> Money:
    """What the account charges for it."""
    return Money(share_half_up(payable.amount_fen, FEE_RATE_MILLIONTHS))


def outcome(row: IntentRow, event: Event, **changes: Any) -> OutcomeRow:
    """The outcome of an intent's payment by one of the events, with the postings that belong to it."""
    account_id, payable = row.account_id or "", Money(row.payable)
    transfers: tuple[postings.Transfer, ...] = ()
    if event is Event.CAPTURED:
        transfers = postings.capture(row.merchant_id, account_id, payable, fee_of(payable))
    attempt_state = {
        Event.CAPTURED: "captured",
        Event.DECLINED: "refused",
        Event.UNSENT: "unsent",
        Event.NOT_CREATED: "not_created",
    }.get(event, "reversed")
    fields: dict[str, Any] = {
        "payment_id": row.payment_id,
        "merchant_id": row.merchant_id,
        "event": event,
        "from_states": sources(event),
        "to_status": target(event),
        "seq": 1,
        "attempt_state": attempt_state,
        "failure_code": FAILURE_CODES.get(event),
        "transfers": rows_of(transfers),
    }
    return OutcomeRow(**(fields | changes))


def failing_over(row: IntentRow, **changes: Any) -> FailoverRow:
    """An intent's payment going on at another account because its first one was not reached."""
    fields: dict[str, Any] = {
        "payment_id": row.payment_id,
        "merchant_id": row.merchant_id,
        "seq": 1,
        "ended_state": "unsent",
        "channel_code": "connect_failed",
        "account_id": "wechat_second",
        "routing": '{"account": "wechat_second"}',
        "send_within_s": 5.0,
        "recover_after_s": 15.0,
    }
    return FailoverRow(**(fields | changes))


async def content(pool: asyncpg.Pool, merchants: Sequence[str] | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that intents and outcomes write but the times, sorted."""
    found = {}
    for table, columns in TABLES.items():
        records = await pool.fetch(
            f"SELECT {columns} FROM {table} WHERE $1::text[] IS NULL OR merchant_id = ANY ($1)",
            None if merchants is None else list(merchants),
        )
        found[table] = sorted((tuple(record) for record in records), key=repr)
    return found
