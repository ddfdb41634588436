"""The demo campaign: ¥5 off from ¥20 on, co-funded by a bank and the merchant: the first payments have a discount."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from promotions.campaigns import lifecycle, store
from promotions.campaigns.campaign import Status
from promotions.campaigns.lifecycle import Step

NAME: Final = "满20减5"
_DOCUMENT: Final[dict[str, Any]] = {
    "name": NAME,
    "benefit": {"type": "amount_off", "tiers": [{"spend": 2_000, "off": 500}]},
    "condition": "payment.wallet in ['wechat', 'alipay', 'unionpay']",
    "limits": {"budget": 1_000_000},
    "funding": [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}],
}


async def seed_campaign(database_url: str) -> str:
    """The id of the demo campaign, made and activated as the admin API does where it is not there, or has ended.

    One that somebody has paused or changed stays as it is.
    """
    connection = await asyncpg.connect(database_url)
    try:
        known = await store.page(connection, 100, name=NAME)
        there = [found for found in known if found.status in {Status.ACTIVE, Status.PAUSED}]
        if there:
            return there[-1].id
        async with connection.transaction():
            drafted = await lifecycle.draft(connection, _DOCUMENT)
            await lifecycle.take(connection, drafted.id, Step.ACTIVATE)
        return drafted.id
    finally:
        await connection.close()
