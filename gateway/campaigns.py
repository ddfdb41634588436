"""Composes what prices payments and serves their budgets: campaigns in force, histories, the pool, and the desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Self

import asyncpg

from gateway.database.group_commit import GroupCommit
from gateway.database.pool import BoundedPool
from gateway.database.starting import once_there
from gateway.database.valkey import Valkey
from gateway.kernel.secrets import Vault
from gateway.merchants.stores import StoreBook
from gateway.settings import Settings
from promotions.budget import grants
from promotions.budget.epochs import Trust
from promotions.budget.following import Following
from promotions.budget.pool import BudgetPool
from promotions.campaigns.book import CampaignBook
from promotions.clock import DatabaseClock
from promotions.customers.reading import Histories, Read, Wanted
from promotions.desk import Promotions
from promotions.hoarding import Scarce, Shelf, ShelfInValkey
from promotions.pacing.book import PaceBook


@dataclass(frozen=True, slots=True)
class Campaigns:
    """One per process."""

    book: CampaignBook
    places: StoreBook
    paces: PaceBook
    clock: DatabaseClock
    budgets: BudgetPool
    following: Following
    shelf: Shelf
    desk: Promotions

    @classmethod
    def of(cls, settings: Settings, pool: asyncpg.Pool, hot_pool: BoundedPool, valkey: Valkey, vault: Vault) -> Self:
        """Nothing is known yet: campaigns come with the first look at the directory's revision."""
        book, places, paces, clock = CampaignBook(pool), StoreBook(pool), PaceBook(pool), DatabaseClock()
        trust = Trust()

        async def grant_day(campaign_id: str, day: date) -> None:
            await grants.ensure_day(pool, campaign_id, day)

        budgets = BudgetPool(pool, valkey, trust)
        histories: GroupCommit[Wanted, Read] = GroupCommit(
            "history",
            Histories(hot_pool.held()).flush,
            rows_max=settings.batch_rows_max,
            queue_max=settings.batch_queue_max,
            linger_ms_max=0.0,
        )
        shelf = ShelfInValkey(
            valkey,
            per_customer_max=settings.codes_holding_per_customer_max,
            per_merchant_max=settings.codes_holding_per_merchant_max,
        )
        desk = Promotions(
            book=book,
            clock=clock,
            histories=histories,
            pool=budgets,
            vault=vault,
            paces=paces,
            scarcity=Scarce(pool),
            grant_day=grant_day,
            shelf=shelf,
        )
        return cls(book, places, paces, clock, budgets, Following(pool, valkey, trust), shelf, desk)

    async def reload(self) -> None:
        """Something has changed in the directory."""
        await self.book.reload()
        await self.places.reload()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Follow the pool's epoch and the paces as long as this is open; the pool is told everything at the end."""
        await once_there(self.following.check)
        await once_there(self.paces.reload)
        loops = [asyncio.create_task(loop) for loop in (self.following.run(), self.paces.run())]
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self.budgets.aclose()
