"""Campaigns as those know them who hand out their coupons: how each stands, and its coupons' terms in force.

A process reads a campaign when its first claim comes, and forgets all with every change of the directory: PostgreSQL
compares the version again with every coupon it hands out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from gateway.kernel.documents import Problems
from promotions.campaigns.campaign import CouponTerms, Status
from promotions.campaigns.reading import CampaignReader
from promotions.campaigns.terms import read_coupon
from promotions.clock import DatabaseClock

SQL: Final = named_statements("promotions.coupons", "coupons.sql")
_KEPT_MAX: Final = 10_000

Database: TypeAlias = asyncpg.Pool | Connection


@dataclass(frozen=True, slots=True)
class CouponCampaign:
    """A campaign whose coupons are one customer's own.  `ends_at` is its end, or when it was ended."""

    id: str
    version: int
    status: Status
    name: str
    terms: CouponTerms
    ends_at: datetime | None = None

    @property
    def valid_hours(self) -> int | None:
        """For so long a coupon is valid once it is handed out; None is until the campaign's end."""
        return None if self.terms.valid_days is None else 24 * self.terms.valid_days


async def find_campaign(
    database: Database, campaign_id: str, clock: DatabaseClock | None = None
) -> CouponCampaign | None:
    """As it stands now; None for one that is not there or has no coupons of customers' own.  The clock learns of it."""
    record = await database.fetchrow(SQL["campaign"], campaign_id)
    if record is None:
        return None
    if clock is not None:
        clock.heard(record["at"])
    document = orjson.loads(record["document"])
    terms = read_coupon(CampaignReader(document, "", Problems()))
    if terms is None or terms.code is not None:
        return None
    ends_at = record["ended_at"] or record["ends_at"]
    return CouponCampaign(record["id"], record["version"], Status(record["status"]), document["name"], terms, ends_at)


class CouponCampaigns:
    """What a process knows of them.  However many claims come for one it does not know, it is read once."""

    def __init__(self, pool: asyncpg.Pool, clock: DatabaseClock) -> None:
        self.clock = clock
        self._pool = pool
        self._known: OrderedDict[str, asyncio.Future[CouponCampaign | None]] = OrderedDict()

    async def forget(self) -> None:
        """Something changed: read every campaign anew."""
        self._known.clear()

    def forget_one(self, campaign: CouponCampaign) -> None:
        """PostgreSQL says that this is not how it stands."""
        known = self._known.get(campaign.id)
        if known is not None and known.done() and known.result() is campaign:
            del self._known[campaign.id]

    async def find(self, campaign_id: str) -> CouponCampaign | None:
        """None for one that is not there, or has no coupons of customers' own.  Raises what the database raises."""
        known = self._known.get(campaign_id)
        if known is None:
            known = asyncio.ensure_future(find_campaign(self._pool, campaign_id, self.clock))
            known.add_done_callback(lambda done: self._drop_failed(campaign_id, done))
            self._known[campaign_id] = known
            if len(self._known) > _KEPT_MAX:
                self._known.popitem(last=False)
        return known.result() if known.done() else await asyncio.shield(known)

    def _drop_failed(self, campaign_id: str, done: asyncio.Future[CouponCampaign | None]) -> None:
        """The next claim asks again."""
        failed = done.cancelled() or done.exception() is not None
        if failed and self._known.get(campaign_id) is done:
            del self._known[campaign_id]
