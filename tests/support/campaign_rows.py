"""Campaigns as rows of the database, and what payments take of them, for tests of the guards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import asyncpg
import orjson

from gateway.database.intents import IntentRow
from gateway.database.pool import Connection
from gateway.database.redemptions import RedemptionRow, UseRow
from promotions.facts import EVER
from tests.support.rows import intent

TIMEZONE: Final = "Asia/Shanghai"
STATE: Final = {
    "campaign_slices": "campaign_id, day, slice, granted, used, granted_count, used_count",
    "campaign_uses": "key, campaign_id, scope, day, used_count, used",
    "redemptions": "payment_id, merchant_id, seq, campaign_id, campaign_version, name, day, slice, discount, fee_off,"
    " funding::text, uses::text, coupon_id, rewards, returns_budget, returns_limits, new_customer",
    "coupons": "id, campaign_id, payment_id",
    "order_numbers": "merchant_id, merchant_order_no, payment_id",
    "payments": "id, merchant_id, status, amount, payable, promoted",
}


async def today(pool: asyncpg.Pool | Connection, timezone: str = TIMEZONE) -> date:
    """The database's present day."""
    found: date = await pool.fetchval("SELECT (now() AT TIME ZONE $1)::date", timezone)
    return found


async def campaign(pool: asyncpg.Pool, campaign_id: str, **columns: Any) -> str:
    """An active campaign, with a budget of a million fen where nothing else is said."""
    row = {"status": "active", "document": "{}", "budget": 1_000_000, "timezone": TIMEZONE} | columns
    names = ", ".join(["id", *row])
    holes = ", ".join(f"${number}" for number in range(1, len(row) + 2))
    await pool.execute(f"INSERT INTO campaigns ({names}) VALUES ({holes})", campaign_id, *row.values())
    return campaign_id


async def grant(
    pool: asyncpg.Pool,
    campaign_id: str,
    *granted: int | None,
    counts: Sequence[int | None] = (),
    day: date | None = None,
) -> None:
    """So much to each slice of a day (today where none is named)."""
    day = day or await today(pool)
    for number, fen in enumerate(granted):
        count = counts[number] if counts else None
        await pool.execute(
            "INSERT INTO campaign_slices (campaign_id, day, slice, granted, granted_count) VALUES ($1, $2, $3, $4, $5)",
            campaign_id, day, number, fen, count,
        )  # fmt: skip


async def coupon(pool: asyncpg.Pool, coupon_id: str, campaign_id: str, customer: bytes, **columns: Any) -> str:
    """A free coupon of a customer."""
    row = {"merchant_id": "mer_1", "realm": "mer_1", "source": "claimed"} | columns
    names = ", ".join(["id", "campaign_id", "customer", *row])
    holes = ", ".join(f"${number}" for number in range(1, len(row) + 4))
    await pool.execute(
        f"INSERT INTO coupons (created_at, {names}) VALUES (now(), {holes})",
        coupon_id, campaign_id, customer, *row.values(),
    )  # fmt: skip
    return coupon_id


def use(key: str, day: date = EVER, count_max: int | None = None, fen_max: int | None = None) -> UseRow:
    """A customer's counter."""
    return UseRow("customer", key, day, count_max, fen_max)


def taken(
    campaign_id: str, day: date, fen: int = 100, *, counters: Sequence[UseRow] = (), **changes: Any
) -> RedemptionRow:
    """A discount from the first slice."""
    uses = [(counter.scope, counter.key, counter.day) for counter in counters]
    fields: dict[str, Any] = {
        "campaign_id": campaign_id,
        "version": 1,
        "name": "Tea",
        "day": day,
        "slice": 0,
        "discount": fen,
        "fee_off": 0,
        "funding": orjson.dumps([{"sponsor": "platform", "amount": fen}]).decode(),
        "uses": orjson.dumps(uses).decode() if uses else None,
        "coupon_id": None,
        "rewards": False,
        "returns_budget": True,
        "returns_limits": False,
        "new_customer": None,
        "counters": tuple(counters),
    }
    return RedemptionRow(**(fields | changes))


def drawing(payment_id: str, *redemptions: RedemptionRow, merchant_id: str = "mer_1", **changes: Any) -> IntentRow:
    """An intent that takes of campaigns."""
    discount = sum(row.discount for row in redemptions)
    fields = {"amount": discount + 1_000, "payable": 1_000, "redemptions": redemptions} | changes
    amount = fields.pop("amount")
    return intent(payment_id, merchant_id, amount=amount, **fields)


async def state(pool: asyncpg.Pool, name: str = "") -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the guards write, sorted; of rows that hold the name."""
    found = {}
    for table, columns in STATE.items():
        records = await pool.fetch(f"SELECT {columns} FROM {table} t WHERE strpos(t::text, $1) > 0", name)
        found[table] = sorted((tuple(record) for record in records), key=repr)
    return found
