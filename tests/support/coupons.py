"""Campaigns with coupons for tests: their rows, and what is known of them in a process."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from promotions.campaigns.campaign import AmountOff, Campaign, CouponTerms, Limits, Share, Stacking, Status, Tier

ANY_TERMS: Final = CouponTerms()


def campaign(campaign_id: str, terms: CouponTerms = ANY_TERMS, *, ends_at: datetime | None = None) -> Campaign:
    """¥5 off from ¥20 on, with a coupon only."""
    return Campaign(
        id=campaign_id,
        version=1,
        status=Status.ACTIVE,
        name="满20减5",
        benefit=AmountOff((Tier(2000, 500),)),
        condition=None,
        limits=Limits(),
        funding=(Share("bank", Decimal(1)),),
        stacking=Stacking(),
        timezone=ZoneInfo("Asia/Shanghai"),
        starts_at=None,
        ends_at=ends_at,
        coupon=terms,
    )


async def save(pool: asyncpg.Pool, known: Campaign) -> Campaign:
    """Write the row, or its next version; the campaign with that version."""
    document = orjson.dumps({"name": known.name, "coupon": {"stock": known.coupon and known.coupon.stock}}).decode()
    version = await pool.fetchval(
        "INSERT INTO campaigns (id, status, version, document, timezone, starts_at, ends_at)"
        " VALUES ($1, $2, 1, $3::json, $4, $5, $6)"
        " ON CONFLICT (id) DO UPDATE SET version = campaigns.version + 1, status = excluded.status,"
        " document = excluded.document, ends_at = excluded.ends_at RETURNING version",
        known.id,
        known.status,
        document,
        known.timezone.key,
        known.starts_at,
        known.ends_at,
    )
    return replace(known, version=version)
