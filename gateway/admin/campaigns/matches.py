"""How many of the newest payments a campaign's condition would match."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

import asyncpg

from gateway.database.pool import Connection, named_statements
from gateway.kernel.expressions import Matcher
from promotions.campaigns.campaign import Campaign
from promotions.campaigns.fields import HISTORY_FIELDS, values_of
from promotions.facts import Facts

SQL: Final = named_statements("gateway.admin.campaigns", "statements.sql")


async def recent_payments(database: asyncpg.Pool | Connection, limit: int) -> Sequence[Facts]:
    """The newest payments of all merchants, at most `limit`, with the stores' present category and region.

    What is kept of a payment says nothing of its card and its coupons, nor of what its customer had done by then.
    """
    return [_facts(record) for record in await database.fetch(SQL["recent_payments"], limit)]


def matches_of(campaign: Campaign, payments: Sequence[Facts]) -> dict[str, Any]:
    """ConditionMatches: at the times of the payments."""
    condition = campaign.condition
    if condition is None:
        return {"looked_at": len(payments), "matched": len(payments), "needs_history": False}
    matcher = Matcher([condition])
    matched = [facts for facts in payments if matcher.matches(values_of(facts, campaign.timezone))]
    needs_history = not HISTORY_FIELDS.isdisjoint(condition.names)
    return {"looked_at": len(payments), "matched": len(matched), "needs_history": needs_history}


def _facts(record: asyncpg.Record) -> Facts:
    return Facts(
        merchant_id=record["merchant_id"],
        order_key=record["id"],
        amount_fen=record["amount"],
        method=record["method"],
        at=record["created_at"].astimezone(UTC),
        wallet=record["wallet"],
        channel=record["account_id"],
        store_id=record["store_id"],
        terminal_id=record["terminal_id"],
        region=record["region"],
        category=record["category"],
        code_id=record["code_id"],
        customer=None if record["customer"] is None else record["customer"].hex(),
    )
