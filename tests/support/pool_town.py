"""Campaigns with slices written by hand, and pools of several processes on them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Self

import asyncpg

from gateway.database.valkey import Valkey
from gateway.kernel.ids import new_id
from promotions.budget.beating import Heart
from promotions.budget.epochs import Trust
from promotions.budget.following import Following
from promotions.budget.lanes import Slice, place_of
from promotions.budget.loading import load, rooms_of, state_of
from promotions.budget.pool import BudgetPool
from promotions.budget.reservation import Draw, Reservation
from tests.support.rows import settings


@dataclass(slots=True)
class Process:
    """A gateway process's part of the pool."""

    valkey: Valkey
    trust: Trust
    pool: BudgetPool
    following: Following

    async def aclose(self) -> None:
        await self.pool.aclose()
        await self.valkey.aclose()


@dataclass(slots=True)
class PoolTown:
    """PostgreSQL and Valkey, one worker's heart, and as many processes as a test asks for."""

    database: asyncpg.Pool
    redis_url: str
    today: date
    valkey: Valkey
    heart: Heart
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @classmethod
    async def found(cls, database: asyncpg.Pool, redis_url: str) -> Self:
        """A new pool on both stores."""
        await database.execute("TRUNCATE redemptions")
        today = await database.fetchval("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
        valkey = Valkey(settings("postgresql://nobody@/none", redis_url))
        return cls(database, redis_url, today, valkey, Heart(database, valkey))

    async def aclose(self) -> None:
        await self._stack.aclose()
        await self.valkey.aclose()

    async def process(self, own: int = 0) -> Process:
        """A process that prefers slice `own`, with what it knows of the pool up to date."""
        valkey, trust = Valkey(settings("postgresql://nobody@/none", self.redis_url)), Trust()
        process = Process(
            valkey,
            trust,
            BudgetPool(self.database, valkey, trust, own),
            Following(self.database, valkey, trust),
        )
        self._stack.push_async_callback(process.aclose)
        await process.following.check()
        return process

    async def beat(self) -> None:
        """One second's heartbeat, now."""
        await self.database.execute("UPDATE pool_state SET beaten_at = 'epoch'")
        assert await self.heart.beat() is not None

    async def campaign(self, *left_fen: int | None, counts: list[int] | None = None, active: bool = True) -> str:
        """An active campaign with so much in each slice of today."""
        campaign_id = new_id("cmp")
        await self.database.execute(
            "INSERT INTO campaigns (id, status, document, slices, timezone) VALUES ($1, $2, $3, $4, 'Asia/Shanghai')",
            campaign_id,
            "active" if active else "paused",
            json.dumps({}),
            len(left_fen),
        )
        for number, fen in enumerate(left_fen):
            await self.database.execute(
                "INSERT INTO campaign_slices (campaign_id, day, slice, granted, granted_count)"
                " VALUES ($1, $2, $3, $4, $5)",
                campaign_id,
                self.today,
                number,
                fen,
                counts[number] if counts else None,
            )
        return campaign_id

    async def load(self, campaign_id: str) -> None:
        """Its slices into Valkey."""
        await load(
            self.valkey,
            (await state_of(self.database)).epoch,
            await rooms_of(self.database, campaign_id, self.today),
        )

    def draw(self, campaign_id: str, fen: int, slices: int = 1) -> Draw:
        """So many fen of today's budget."""
        return Draw(campaign_id, self.today, slices, fen)

    async def left(self, campaign_id: str, number: int = 0) -> tuple[int | None, int | None, int]:
        """Fen, number, and open reservations of a slice in Valkey."""
        epoch = (await state_of(self.database)).epoch
        found = await self.valkey.call("HGETALL", place_of(Slice(campaign_id, self.today, number), epoch).key)
        fixed = [int(found[name]) if name in found else None for name in (b"left", b"count")]
        return fixed[0], fixed[1], sum(name.startswith(b"o") for name in found)

    async def is_left(self, campaign_id: str, fen: int) -> bool:
        """Whether Valkey has so much left in its first slice."""
        return (await self.left(campaign_id))[0] == fen

    async def take(self, reservation: Reservation) -> bool:
        """What the intent's commit does: guard the slice, and write the redemption."""
        async with self.database.acquire() as connection, connection.transaction():
            taken = await connection.fetchval(
                "UPDATE campaign_slices SET used = used + $4, used_count = used_count + 1"
                " WHERE campaign_id = $1 AND day = $2 AND slice = $3"
                " AND (granted IS NULL OR used + $4 <= granted)"
                " AND (granted_count IS NULL OR used_count < granted_count) RETURNING true",
                reservation.campaign_id,
                reservation.day,
                reservation.slice,
                reservation.fen,
            )
            if taken:
                await connection.execute(
                    "INSERT INTO redemptions (payment_id, merchant_id, seq, campaign_id, campaign_version, name, day,"
                    " slice, discount, funding, returns_budget, returns_limits, created_at)"
                    " VALUES ($1, 'mer_1', 1, $2, 1, 'x', $3, $4, $5, '[]', true, false, now())",
                    reservation.owner,
                    reservation.campaign_id,
                    reservation.day,
                    reservation.slice,
                    reservation.fen,
                )
            return bool(taken)

    async def room(self, reservation: Reservation) -> int:
        """What PostgreSQL has left in the slice."""
        return int(
            await self.database.fetchval(
                "SELECT granted - used FROM campaign_slices WHERE campaign_id = $1 AND day = $2 AND slice = $3",
                reservation.campaign_id,
                reservation.day,
                reservation.slice,
            )
        )
