"""Reads coupons, and voids them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class CouponFilter:
    """Which coupons to list: those of a customer, or of all customers of the realm."""

    realm: str
    customer: bytes | None = None
    status: CouponStatus | None = None
    campaign_id: str | None = None


async def list_coupons(
    database: Database, wanted: CouponFilter, *, limit: int, starting_after: str | None
) -> Sequence[HeldCoupon]:
    """The newest first, at most `limit`, after that id."""
    filters = (wanted.campaign_id, starting_after, wanted.status, limit)
    if wanted.customer is None:
        records = await database.fetch(SQL["list_of_realm"], wanted.realm, *filters)
    else:
        records = await database.fetch(SQL["list_of_customer"], wanted.customer, *filters)
    return [coupon_of(record) for record in records]


async def coupons_of_campaign(
    database: Database, campaign_id: str | None, *, limit: int, starting_after: str | None
) -> Sequence[HeldCoupon]:
    """Of all merchants, and without a campaign of all of them: the newest first, at most `limit`, after that id."""
    if campaign_id is None:
        records = await database.fetch(SQL["list_all"], starting_after, limit)
    else:
        records = await database.fetch(SQL["list_of_campaign"], campaign_id, starting_after, limit)
    return [coupon_of(record) for record in records]


async def summary_of(database: Database, campaign_id: str) -> asyncpg.Record | None:
    """How many coupons of a campaign are out, and how they stand; None where there is no such campaign.

    Columns: taken, then by source claimed, issued, granted, then by status valid, redeemed, expired, voided.
    """
    return await database.fetchrow(SQL["summary"], campaign_id)


async def void_coupon(database: Database, coupon_id: str, reason: VoidReason) -> bool:
    """False where it is not free (any more)."""
    done: Any = await database.fetchval(SQL["void"], coupon_id, reason)
    return done is not None
