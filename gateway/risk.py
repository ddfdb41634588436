"""Composes what screens payments: the rule set in force, where its features come from, and the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import asyncpg

from gateway.campaigns import Campaigns
from gateway.database.group_commit import GroupCommit
from gateway.database.starting import once_there
from gateway.database.valkey import Valkey
from gateway.kernel.secrets import Vault
from gateway.merchants.stores import StoreBook
from gateway.payments.counting import Counting
from gateway.payments.recalled import Recalling
from gateway.payments.screening import OrderScreening
from gateway.payments.store import PaymentStore
from gateway.settings import Settings
from risk.decisions.replaying import PastSets
from risk.desk import Screening
from risk.lists.book import ListBook
from risk.model.book import ModelBook
from risk.profiles.reading import Profile, ProfileReading, Profiles
from risk.rules.book import RuleBook
from risk.velocity.calling import Calling
from risk.velocity.reading import Velocities
from risk.velocity.telling import Telling


@dataclass(frozen=True, slots=True)
class Risk:
    """One per process."""

    rules: RuleBook
    past_sets: PastSets
    lists: ListBook
    past_models: ModelBook
    places: StoreBook
    telling: Telling
    counting: Counting
    desk: Screening
    orders: OrderScreening

    @classmethod
    def of(
        cls,
        settings: Settings,
        pools: tuple[asyncpg.Pool, asyncpg.Pool],
        valkey: Valkey,
        vault: Vault,
        campaigns: Campaigns,
    ) -> Self:
        """Nothing is known yet: the rule set comes with the first look at the directory's revision.

        Of the two pools the second one carries what payments wait for.
        """
        pool, hot_pool = pools
        # A book keeps few models: whoever explains old decisions must not take the place of the one in force.
        models, past_models = ModelBook(pool), ModelBook(pool)
        rules, lists = RuleBook(pool, vault, models), ListBook(pool, vault)
        reading: GroupCommit[bytes, Profile] = GroupCommit(
            "profile",
            ProfileReading(hot_pool).flush,
            rows_max=settings.batch_rows_max,
            queue_max=settings.batch_queue_max,
            linger_ms_max=0.0,
        )
        calling = Calling(valkey)
        desk = Screening(
            rules=rules,
            velocities=Velocities(calling, vault),
            customers=Profiles(reading),
            lists=lists,
            models=models,
            deadline_s=settings.risk_deadline_ms / 1000,
        )
        telling = Telling(calling, vault, lambda: rules.current)
        recalling = Recalling(PaymentStore(pool, vault), campaigns.places, vault)
        counting = Counting(telling, recalling, lambda: rules.current)
        orders = OrderScreening(desk, campaigns.places, vault, campaigns.clock.now, counting)
        return cls(
            rules=rules,
            past_sets=PastSets(pool, vault, past_models),
            lists=lists,
            past_models=past_models,
            places=campaigns.places,
            telling=telling,
            counting=counting,
            desk=desk,
            orders=orders,
        )

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Have what is in force before payments come in; what is being fetched at the end is left."""
        await once_there(self.load)
        try:
            yield
        finally:
            await self.rules.aclose()
            await self.lists.aclose()

    async def load(self) -> None:
        """Have the rule set and the lists as they are now."""
        await self.rules.load()
        await self.lists.load()

    async def reload(self) -> None:
        """Something has changed in the directory."""
        await self.rules.reload()
        await self.lists.reload()
