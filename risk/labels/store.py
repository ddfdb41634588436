"""Labels in PostgreSQL: added, never changed; the newest of a payment stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from gateway.database.pool import Connection, named_statements
from risk.labels.label import Label, NewLabel, Source

SQL: Final = named_statements("risk.labels", "statements.sql")
SEQ_MAX: Final = 2**63 - 1


async def add_label(connection: Connection, label: NewLabel) -> Label | None:
    """Record a label in the transaction that is open; None where the one that stands says the same already."""
    record = await connection.fetchrow(
        SQL["add"],
        label.payment_id,
        label.merchant_id,
        label.fraud,
        label.source,
        label.note,
        label.by,
        label.known_at,
    )
    return None if record is None else label_of(record)


async def labels_of(database: asyncpg.Pool | Connection, payment_id: str, merchant_id: str) -> Sequence[Label]:
    """A payment's labels, the oldest first: the last one stands."""
    records = await database.fetch(SQL["of_payment"], payment_id, merchant_id)
    return [label_of(record) for record in records]


async def newest_labels(
    database: asyncpg.Pool | Connection, limit: int, before: int | None = None, payment_id: str | None = None
) -> Sequence[Label]:
    """The newest first, at most `limit`, with lower numbers than `before`; of one payment, or of all."""
    bounds = (SEQ_MAX if before is None else before, limit)
    if payment_id is None:
        records = await database.fetch(SQL["newest"], *bounds)
    else:
        records = await database.fetch(SQL["newest_of_payment"], *bounds, payment_id)
    return [label_of(record) for record in records]


def label_of(record: asyncpg.Record) -> Label:
    """A row as a value."""
    return Label(**{**record, "source": Source(record["source"])})
