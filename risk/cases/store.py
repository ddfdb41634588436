"""Reads cases, the queue, what was done about them and what was complained of; writes their terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from gateway.kernel.secrets import Vault
from risk.cases.case import Case, Channel, Complaint, Evidence, Kind, Reason, Step, StepKind, Terms, Verdict

SQL: Final = named_statements("risk.cases", "statements.sql")
Database: TypeAlias = asyncpg.Pool | Connection
_ENDS: Final = datetime(9999, 1, 1, tzinfo=UTC)
_BEGINS: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AMOUNT_FEN_MAX: Final = 2**63 - 1
_LAST_ID: Final = "~"
"""Sorts behind every id."""


class Order(StrEnum):
    """What stands first in the queue."""

    DUE = "due"
    """What is due first."""
    AMOUNT = "amount"
    """What most is at stake in."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; None and False leave a condition out.  Decided ones come newest first, whatever the order."""

    decided: bool = False
    order: Order = Order.DUE
    kind: Kind | None = None
    merchant_id: str | None = None
    payment_id: str | None = None
    by: str | None = None
    """Of an open case who holds it, of a decided one who decided it."""
    unclaimed: bool = False
    overdue: bool = False


async def find_case(database: Database, case_id: str) -> Case | None:
    """By its id."""
    record = await database.fetchrow(SQL["find"], case_id)
    return None if record is None else case_of(record)


async def page_of_cases(database: Database, wanted: CaseFilter, limit: int, after: Case | None) -> Sequence[Case]:
    """At most `limit` cases that come after that one."""
    filters: list[Any] = [wanted.kind, wanted.merchant_id, wanted.payment_id, wanted.by]
    last_id = "" if after is None else after.id
    if wanted.decided:
        last = (_ENDS, _LAST_ID) if after is None or after.decided_at is None else (after.decided_at, last_id)
        records = await database.fetch(SQL["decided"], *last, limit, *filters)
    elif wanted.order is Order.AMOUNT:
        largest = (_AMOUNT_FEN_MAX, _LAST_ID) if after is None else (after.amount_fen, last_id)
        records = await database.fetch(
            SQL["open_by_amount"], *largest, limit, *filters, wanted.unclaimed, wanted.overdue
        )
    else:
        first = (_BEGINS, "") if after is None else (after.due_at, last_id)
        records = await database.fetch(SQL["open_by_due"], *first, limit, *filters, wanted.unclaimed, wanted.overdue)
    return [case_of(record) for record in records]


async def steps_of(database: Database, vault: Vault, case: Case) -> Sequence[Step]:
    """What was done about a case, in its order."""
    return [
        Step(
            seq=record["seq"],
            kind=StepKind(record["kind"]),
            by=record["by"],
            at=record["at"],
            note=None
            if record["note_sealed"] is None
            else vault.open(record["note_sealed"], case.id.encode()).decode(),
            detail={} if record["detail"] is None else orjson.loads(record["detail"]),
        )
        for record in await database.fetch(SQL["steps"], case.id, case.merchant_id)
    ]


async def complaints_of(database: Database, vault: Vault, payment_id: str, merchant_id: str) -> Sequence[Complaint]:
    """What was complained of a payment, the oldest first."""
    return [complaint_of(record, vault) for record in await database.fetch(SQL["complaints"], payment_id, merchant_id)]


async def all_terms(database: Database) -> Sequence[Terms]:
    """Of each kind of case."""
    return [Terms(**{**record, "kind": Kind(record["kind"])}) for record in await database.fetch(SQL["terms"])]


async def set_terms(connection: Connection, terms: Terms) -> None:
    """They hold for what is opened, reopened and claimed from now on."""
    await connection.execute(SQL["set_terms"], terms.kind, terms.due_hours, terms.claim_minutes)


def case_of(record: asyncpg.Record) -> Case:
    """A row as a value."""
    verdict = record["verdict"]
    return Case(
        **{**record, "kind": Kind(record["kind"]), "verdict": None if verdict is None else Verdict(verdict)},
    )


def complaint_of(record: asyncpg.Record, vault: Vault) -> Complaint:
    """A row as a value, with what was said opened."""
    said = orjson.loads(vault.open(record["said_sealed"], record["id"].encode()))
    return Complaint(
        id=record["id"],
        case_id=record["case_id"],
        payment_id=record["payment_id"],
        reason=Reason(record["reason"]),
        channel=Channel(record["channel"]),
        number=record["channel_complaint_id"],
        text=said["text"],
        by=record["by"],
        evidence=tuple(Evidence(**each) for each in said["evidence"]),
        at=record["at"],
    )
