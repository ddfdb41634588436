"""Composes what screens payments: the rule set in force, where its features come from, and the desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import asyncpg

from gateway.campaigns import Campaigns
from gateway.database.group_commit import GroupCommit
from gateway.database.valkey import Valkey
from gateway.kernel.secrets import Vault
from gateway.payments.screening import OrderScreening
from gateway.settings import Settings
from risk.desk import Screening
from risk.facts import Facts
from risk.features import Asked
from risk.lists.book import ListBook
from risk.profiles.reading import Profile, ProfileReading, Profiles
from risk.rules.compiled import NO_RULES, CompiledSet


class _NoRules:
    current = NO_RULES

    async def reload(self) -> None: ...


class _NoVelocities:
    def begin(self, compiled: CompiledSet, facts: Facts, *, look: bool = False) -> Asked:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Risk:
    """One per process."""

    rules: _NoRules
    lists: ListBook
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
        rules, lists = _NoRules(), ListBook(pool, vault)
        reading: GroupCommit[bytes, Profile] = GroupCommit(
            "profile",
            ProfileReading(hot_pool).flush,
            rows_max=settings.batch_rows_max,
            queue_max=settings.batch_queue_max,
            linger_ms_max=0.0,
        )
        desk = Screening(
            rules=rules,
            velocities=_NoVelocities(),
            customers=Profiles(reading),
            lists=lists,
            deadline_s=settings.risk_deadline_ms / 1000,
        )
        return cls(rules, lists, desk, OrderScreening(desk, campaigns.places, vault, campaigns.clock.now))

    async def reload(self) -> None:
        """Something has changed in the directory."""
        await self.rules.reload()
        await self.lists.reload()
