"""Reads coupons, and voids them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from promotions.coupons.campaigns import SQL, Database
from promotions.coupons.coupon import CouponStatus, HeldCoupon, VoidReason, coupon_of


async def find_coupon(database: Database, coupon_id: str, realm: str) -> HeldCoupon | None:
    """A coupon of the realm's own customers."""
    record = await database.fetchrow(SQL["find"], coupon_id, realm)
    return None if record is None else coupon_of(record)


async def find_coupons(database: Database, coupon_ids: Sequence[str]) -> dict[str, HeldCoupon]:
    """Whosever they are, by their ids; those that are not there are left out."""
    records = await database.fetch(SQL["find_many"], list(coupon_ids))
    return {record["id"]: coupon_of(record) for record in records}


async def coupons_of_customer(
    database: Database,
    customer: bytes,
    *,
    status: CouponStatus | None,
    campaign_id: str | None,
    limit: int,
    starting_after: str | None,
) -> Sequence[HeldCoupon]:
    """The newest first, at most `limit`, after that id."""
    records = await database.fetch(SQL["list_of_customer"], customer, campaign_id, starting_after, status, limit)
    return [coupon_of(record) for record in records]


async def coupons_of_campaign(
    database: Database, campaign_id: str, *, limit: int, starting_after: str | None
) -> Sequence[HeldCoupon]:
    """The newest first, at most `limit`, after that id."""
    return [
        coupon_of(record)
        for record in await database.fetch(SQL["list_of_campaign"], campaign_id, starting_after, limit)
    ]


async def summary_of(database: Database, campaign_id: str) -> asyncpg.Record | None:
    """How many coupons of a campaign are out, and how they stand; None where there is no such campaign.

    Columns: taken, then by source claimed, issued, granted, then by status valid, redeemed, expired, voided.
    """
    return await database.fetchrow(SQL["summary"], campaign_id)


async def void_coupon(database: Database, coupon_id: str, reason: VoidReason) -> bool:
    """False where it is not free (any more)."""
    done: Any = await database.fetchval(SQL["void"], coupon_id, reason)
    return done is not None
