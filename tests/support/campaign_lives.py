"""Campaigns with a life for tests: a document, and what is done with it in a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from promotions.campaigns import lifecycle
from promotions.campaigns.lifecycle import ANY, Base, Change, Step
from promotions.campaigns.store import StoredCampaign

CAMPAIGNS: Final = "/admin/v1/campaigns"
CAMPAIGN: Final[Mapping[str, Any]] = {
    "name": "满20减5",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]},
    "condition": "payment.wallet == 'wechat' && payment.hour >= 7",
    "limits": {
        "budget": 1_000_000,
        "budget_per_day": 200_000,
        "count": None,
        "count_per_day": None,
        "per_customer": {"lifetime": 3, "day": 1},
    },
    "on_refund": {"budget": "return", "limits": "keep"},
    "funding": [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}],
    "stacking": {"group": "default", "mode": "best", "priority": 10},
    "starts_at": None,
    "ends_at": None,
    "timezone": "Asia/Shanghai",
    "when_exhausted": "charge_full",
}
"""PRODUCT.md's."""


def document(**changes: Any) -> dict[str, Any]:
    """The campaign with other fields; `limits` are merged."""
    limits = {**CAMPAIGN["limits"], **changes.pop("limits", {})}
    return {**CAMPAIGN, "limits": limits, **changes}


async def drafted(pool: asyncpg.Pool, **changes: Any) -> StoredCampaign:
    """A new draft."""
    async with pool.acquire() as connection, connection.transaction():
        return await lifecycle.draft(connection, document(**changes))


async def active(pool: asyncpg.Pool, **changes: Any) -> StoredCampaign:
    """A new campaign in force."""
    return (await taken(pool, (await drafted(pool, **changes)).id, Step.ACTIVATE)).after


async def taken(pool: asyncpg.Pool, campaign_id: str, *steps: Step) -> Change:
    """Steps one after the other; the last one's change."""
    for step in steps:
        async with pool.acquire() as connection, connection.transaction():
            change = await lifecycle.take(connection, campaign_id, step)
    return change


async def edited(pool: asyncpg.Pool, campaign_id: str, given: object, base: Base = ANY) -> Change:
    """Its next version."""
    async with pool.acquire() as connection, connection.transaction():
        return await lifecycle.edit(connection, campaign_id, given, base)


async def amended(pool: asyncpg.Pool, campaign_id: str, base: Base = ANY, **patch: Any) -> Change:
    """The same by a patch."""
    async with pool.acquire() as connection, connection.transaction():
        return await lifecycle.amend(connection, campaign_id, patch, base)


async def topped_up(pool: asyncpg.Pool, campaign_id: str, key: str, amount_fen: int) -> Change:
    """More money."""
    async with pool.acquire() as connection, connection.transaction():
        return await lifecycle.top_up(connection, campaign_id, key, amount_fen)
