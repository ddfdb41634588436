"""Reads PostgreSQL for the audit: in a snapshot, page by page, so that nothing moves and memory stays small."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg
import orjson

from gateway.audit.checks import Check
from gateway.audit.findings import CannotAudit, Findings
from gateway.audit.retired import Retired
from gateway.audit.rows import (
    AccountRow,
    AttemptRow,
    CallbackRow,
    Dossier,
    EventRow,
    LateRow,
    PaymentRow,
    RedemptionRow,
    RefundRow,
    TaskRow,
    TransferRow,
    VerdictRow,
)
from gateway.audit.span import Bounds
from gateway.database.pool import named_statements
from gateway.reviews.review import Kind
from routing.accounts.terms import Terms

SQL: Final = named_statements("gateway.audit", "statements.sql")
PAGE: Final = 2_000
_ASTRAY_PAGE: Final = 500
_CONNECT_S: Final = 10.0
_Child = TypeVar("_Child", AttemptRow, EventRow, TransferRow, LateRow, RefundRow, TaskRow, RedemptionRow)


@dataclass(frozen=True, slots=True)
class Page:
    """The payments with ids above `after` up to `to`, by id."""

    after: str
    to: str
    dossiers: dict[str, Dossier]
    strange_callbacks: list[CallbackRow] = field(default_factory=list)
    """Those whose payment we do not have (yet)."""


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the audit's own.  Raises CannotAudit."""
    try:
        connection = await asyncpg.connect(
            database_url,
            timeout=_CONNECT_S,
            server_settings={
                "application_name": "mashang audit",
                "plan_cache_mode": "force_custom_plan",  # a page's bounds decide which partitions are read
                "jit": "off",
            },
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CannotAudit(f"PostgreSQL does not accept a connection: {error or type(error).__name__}") from error
    try:
        yield connection
    finally:
        await connection.close()


async def clock(connection: asyncpg.Connection) -> datetime:
    """The database's time."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


class Stirring(NamedTuple):
    """How many tasks are open, how many callbacks and webhooks are due now, and the newest payment and refund."""

    open: int
    due: int
    newest: str | None


async def stirring(connection: asyncpg.Connection) -> Stirring:
    """What tells whether the stack is quiet."""
    row = await connection.fetchrow(SQL["stirring"])
    assert row is not None
    return Stirring(*row.values())


async def accounts(connection: asyncpg.Connection) -> dict[str, AccountRow]:
    """The channel accounts by id."""
    return {row["id"]: _account(row) for row in await connection.fetch(SQL["accounts"])}


def _account(row: asyncpg.Record) -> AccountRow:
    terms = None if row["terms"] is None else orjson.loads(row["terms"])
    return AccountRow(row["id"], row["channel"], Terms.of(terms, row["fee_rate_millionths"]).fee, row["updated_at"])


async def retired(connection: asyncpg.Connection) -> Retired:
    """The months that were taken out, also those that are being taken out now."""
    return Retired.of([row["month"] for row in await connection.fetch(SQL["retired"])])


async def paid(connection: asyncpg.Connection, within: Bounds) -> asyncpg.Record:
    """How many payments there are, and the snapshot's time."""
    row = await connection.fetchrow(SQL["paid"], *within)
    assert row is not None
    return row


async def receivables(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """What the ledger says each channel account owes, per day."""
    return await connection.fetch(SQL["receivables"])


async def pages(connection: asyncpg.Connection, within: Bounds, findings: Findings) -> AsyncIterator[Page]:
    """The payments with their rows; rows that belong to none become findings.  The last page ends where they end."""
    async for page in _pages(connection, "payments", within):
        await _add_children(connection, page, findings)
        yield page


async def promoted(connection: asyncpg.Connection, within: Bounds) -> AsyncIterator[Page]:
    """Only the payments that took something of a campaign, each with that and its refunds alone.

    What of these rows belongs to no payment is no finding here: `pages` finds it.
    """
    unseen = Findings(0)
    async for page in _pages(connection, "promoted_payments", within):
        async for dossier, refund in _children(connection, "refunds", RefundRow, page, unseen):
            dossier.refund_rows[refund.seq] = refund
        async for dossier, redemption in _children(connection, "redemptions", RedemptionRow, page, unseen):
            dossier.redemptions.append(redemption)
        yield page


async def _pages(connection: asyncpg.Connection, statement: str, within: Bounds) -> AsyncIterator[Page]:
    after, end = within
    while True:
        records = await connection.fetch(SQL[statement], after, end, PAGE)
        payments = [PaymentRow(*record.values()) for record in records]
        to = payments[-1].id if len(payments) == PAGE else end
        yield Page(after, to, {payment.id: Dossier(payment) for payment in payments})
        if to == end:
            return
        after = to


async def _add_children(connection: asyncpg.Connection, page: Page, findings: Findings) -> None:
    async for dossier, attempt in _children(connection, "attempts", AttemptRow, page, findings):
        dossier.attempts[attempt.seq] = attempt
    async for dossier, event in _children(connection, "events", EventRow, page, findings):
        dossier.events.append(event)
    async for dossier, transfer in _children(connection, "transfers", TransferRow, page, findings):
        dossier.transfers.append(transfer)
    async for dossier, late in _children(connection, "late_captures", LateRow, page, findings):
        dossier.lates[late.attempt_seq] = late
    async for dossier, refund in _children(connection, "refunds", RefundRow, page, findings):
        dossier.refund_rows[refund.seq] = refund
    async for dossier, redemption in _children(connection, "redemptions", RedemptionRow, page, findings):
        dossier.redemptions.append(redemption)
    async for dossier, task in _children(connection, "tasks", TaskRow, page, findings):
        dossier.tasks[task.purpose] = task
    for record in await connection.fetch(SQL["callbacks"], page.after, page.to):
        callback = CallbackRow(*record.values())
        owner = page.dossiers.get(callback.payment_id)
        (page.strange_callbacks if owner is None else owner.callbacks).append(callback)
    for record in await connection.fetch(SQL["verdicts"], page.after, page.to):
        _add_verdict(VerdictRow(*record.values()), page, findings)


def _add_verdict(verdict: VerdictRow, page: Page, findings: Findings) -> None:
    """Verdicts on notifications are not of a payment: it may be one that we never had."""
    if verdict.kind == Kind.CALLBACK:
        return
    findings.compare(Check.ORPHAN_ROW)
    dossier = page.dossiers.get(verdict.payment_id)
    if dossier is None:
        findings.add(Check.ORPHAN_ROW, "a row of review_verdicts belongs to no payment", payment_id=verdict.payment_id)
    else:
        dossier.verdicts.append(verdict)


async def _children(
    connection: asyncpg.Connection, table: str, kind: type[_Child], page: Page, findings: Findings
) -> AsyncIterator[tuple[Dossier, _Child]]:
    records = await connection.fetch(SQL[table], page.after, page.to)
    findings.compare(Check.ORPHAN_ROW, len(records))
    for record in records:
        row = kind(*record.values())
        dossier = page.dossiers.get(row.payment_id)
        if dossier is None or dossier.payment.merchant_id != row.merchant_id:
            findings.add(
                Check.ORPHAN_ROW,
                f"a row of {table} belongs to no payment",
                payment_id=row.payment_id,
                merchant_id=row.merchant_id,
            )
        else:
            yield dossier, row


async def check_numbers(connection: asyncpg.Connection, payments: Bounds, refunds: Bounds, findings: Findings) -> None:
    """I5: numbers and idempotency keys that lead to no payment, or to no refund."""
    count = await connection.fetchrow(SQL["counts"], *payments, *refunds)
    assert count is not None
    for check, table, within, explanation in (
        (Check.ORDER_NUMBER, "order_numbers", payments, "leads to no payment with that number"),
        (Check.IDEMPOTENCY_KEY, "idempotency_keys", payments, "leads to no payment of that merchant"),
        (Check.REFUND_NUMBER, "refund_numbers", refunds, "leads to no refund with that number"),
        (Check.REFUND_KEY, "refund_keys", refunds, "leads to no refund of that merchant"),
    ):
        findings.compare(check, count[table])
        async for row in connection.cursor(SQL[f"{table}_astray"], *within, prefetch=_ASTRAY_PAGE):
            findings.add(check, explanation, **_ids(row))


def check_order_number(dossier: Dossier, findings: Findings) -> None:
    """I5 from the other side: a payment's order number leads to it."""
    payment = dossier.payment
    findings.compare(Check.ORDER_NUMBER)
    if payment.order_owner != payment.id:
        findings.add(
            Check.ORDER_NUMBER,
            f"the order number of this payment leads to {payment.order_owner or 'nothing'}",
            payment_id=payment.id,
            merchant_order_no=payment.merchant_order_no,
        )


def _ids(row: asyncpg.Record) -> dict[str, Any]:
    return dict(row.items())
