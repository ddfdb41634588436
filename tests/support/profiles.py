"""Payments of customers whose profiles are kept, and their profiles counted again from the payments."""

from __future__ import annotations

from collections import Counter
from typing import Any

import asyncpg

from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import OutcomeRow, outcome_batch
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from risk.profiles.following import Following
from tests.support.rows import intent, outcome

_RECOUNT = """
SELECT p.customer, p.amount, extract(hour FROM c.at AT TIME ZONE m.timezone)::integer AS hour,
    coalesce(s.region, m.region) AS region
FROM payments p
JOIN events c ON c.payment_id = p.id AND c.type = 'payment.captured'
JOIN merchants m ON m.id = p.merchant_id
LEFT JOIN stores s ON s.merchant_id = p.merchant_id AND s.store_id = p.store_id
WHERE p.status = 'succeeded' AND p.customer IS NOT NULL
"""
_SHARED = """
SELECT DISTINCT b.customer
FROM (SELECT DISTINCT coalesce(m.customer_realm, m.id) AS realm, a.payer_hash, p.customer
      FROM attempts a JOIN payments p ON p.id = a.payment_id JOIN merchants m ON m.id = p.merchant_id
      WHERE a.payer_hash IS NOT NULL AND p.customer IS NOT NULL
          AND EXISTS (SELECT FROM events e WHERE e.payment_id = p.id AND e.type = 'payment.captured')) b
JOIN (SELECT DISTINCT coalesce(m.customer_realm, m.id) AS realm, a.payer_hash, p.customer
      FROM attempts a JOIN payments p ON p.id = a.payment_id JOIN merchants m ON m.id = p.merchant_id
      WHERE EXISTS (SELECT FROM events e WHERE e.payment_id = p.id AND e.type = 'payment.captured')) o
    ON o.realm = b.realm AND o.payer_hash = b.payer_hash AND o.customer <> b.customer
"""


async def begin(pool: asyncpg.Pool, *rows: IntentRow) -> None:
    """Payments that are at the channel."""
    assert all(result.inserted for result in await intent_batch(pool).flush(rows))  # type: ignore[union-attr]


async def end(pool: asyncpg.Pool, *rows: OutcomeRow) -> None:
    """What became of them."""
    assert all(result.applied for result in await outcome_batch(pool).flush(rows))  # type: ignore[union-attr]


async def pay(
    pool: asyncpg.Pool, customer: bytes | None, amount: int = 1_000, *, payer: bytes | None = None, **where: Any
) -> IntentRow:
    """A captured payment."""
    row = intent(new_id("pay"), amount=amount, customer=customer, **where)
    await begin(pool, row)
    await end(pool, outcome(row, Event.CAPTURED, payer_hash=payer))
    return row


async def take_back(pool: asyncpg.Pool, row: IntentRow) -> None:
    """Reverse a captured payment."""
    await end(pool, outcome(row, Event.REVERSED))


async def catch_up(pool: asyncpg.Pool, following: Following) -> None:
    """Follow until every event that is there is counted."""
    last = await pool.fetchval("SELECT max(at) FROM events")
    while await following.step() or await pool.fetchval(
        "SELECT followed_until IS NULL OR followed_until <= $1 FROM risk_profiling", last
    ):
        pass


async def stored(pool: asyncpg.Pool) -> dict[bytes, tuple[Any, ...]]:
    """Of each customer with payments: number, sum, highest, hours and regions, as the worker has kept them."""
    rows = await pool.fetch("SELECT * FROM risk_profiles WHERE payments > 0")
    return {
        row["customer"]: (
            row["payments"],
            row["amount"],
            row["highest"][0],
            {hour: count for hour, count in enumerate(row["hours"]) if count},
            dict(zip(row["regions"], row["region_counts"], strict=True)),
        )
        for row in rows
    }


async def recounted(pool: asyncpg.Pool) -> dict[bytes, tuple[Any, ...]]:
    """The same from the payments themselves."""
    payments: dict[bytes, list[asyncpg.Record]] = {}
    for row in await pool.fetch(_RECOUNT):
        payments.setdefault(row["customer"], []).append(row)
    return {
        customer: (
            len(rows),
            sum(row["amount"] for row in rows),
            max(row["amount"] for row in rows),
            dict(Counter(row["hour"] for row in rows)),
            dict(Counter(row["region"] for row in rows if row["region"])),
        )
        for customer, rows in payments.items()
    }


async def sharing(pool: asyncpg.Pool) -> set[bytes]:
    """Customers marked as sharing a payer."""
    rows = await pool.fetch("SELECT customer FROM risk_profiles WHERE shared_payer")
    return {row["customer"] for row in rows}


async def sharing_recounted(pool: asyncpg.Pool) -> set[bytes]:
    """The same from the attempts."""
    return {row["customer"] for row in await pool.fetch(_SHARED)}
