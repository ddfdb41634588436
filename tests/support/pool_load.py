"""Payments as the pool sees them: reserve, the guarded commit, confirm; with a witness that judges every refusal."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Final

from gateway.kernel.ids import new_id
from promotions.budget.reservation import Draw, Reservation
from tests.support.pool_town import PoolTown, Process

_AT_ONCE: Final = 16


@dataclass(slots=True)
class PoolLoad:
    """Payments of one campaign in several processes, and what became of them."""

    town: PoolTown
    processes: list[Process]
    campaign: str
    slices: int
    draw: random.Random = field(default_factory=lambda: random.Random(5))
    spent_fen: int = 0
    under_way_fen: int = 0
    """Of payments that are between being asked for and their end."""
    payments: int = 0
    in_pool: int = 0
    guarded: int = 0
    """Refused by PostgreSQL after a yes."""
    slowest_s: float = 0.0
    wrongly_refused: list[str] = field(default_factory=list)

    async def run_until(self, is_over: asyncio.Event, fen_max: int = 30) -> None:
        """Payments of 10 to so many fen until told to stop."""

        async def till(number: int) -> None:
            while not is_over.is_set():
                await self.pay(self.processes[number % len(self.processes)], self.draw.randint(10, fen_max))
                await asyncio.sleep(0.02)

        await asyncio.gather(*(till(number) for number in range(_AT_ONCE)))

    async def drain(self) -> None:
        """Spend what is left: in large amounts, then fen by fen, until nobody gets anything."""
        for fen in (500, 50, 5, 1):
            while await self.pay(self.processes[self.payments % len(self.processes)], fen):
                pass

    async def pay(self, process: Process, fen: int) -> bool:
        """One payment; whether it got its discount."""
        self.payments += 1
        self.under_way_fen += fen
        began = asyncio.get_running_loop().time()
        try:
            return await self._pay(process, fen)
        finally:
            self.under_way_fen -= fen
            self.slowest_s = max(self.slowest_s, asyncio.get_running_loop().time() - began)

    async def left_fen(self) -> int:
        """What PostgreSQL has left."""
        return int(
            await self.town.database.fetchval(
                "SELECT sum(granted - used) FROM campaign_slices WHERE campaign_id = $1", self.campaign
            )
        )

    async def _pay(self, process: Process, fen: int) -> bool:
        order_key, owner, others_fen = new_id("order"), new_id("pay"), self.under_way_fen - fen
        for _ in range(2):  # a slice that PostgreSQL finds empty is corrected, and another one asked
            draws = [Draw(self.campaign, self.town.today, self.slices, fen)]
            reserved = await process.pool.reserve(order_key, owner, draws)
            if not isinstance(reserved, tuple):
                break
            self.in_pool += reserved[0].in_pool
            if await self._commit(process, reserved):
                return True
        await self._judge(fen, others_fen)
        return False

    async def _commit(self, process: Process, reserved: tuple[Reservation, ...]) -> bool:
        [reservation] = reserved
        if self.draw.random() < 0.05:
            process.pool.release(reserved)  # the customer has no money
            return True
        if await self.town.take(reservation):
            process.pool.confirm(reserved)
            self.spent_fen += reservation.fen
            return True
        self.guarded += 1
        process.pool.release(reserved)
        room = await self.town.room(reservation)
        process.pool.correct(self.campaign, reservation.day, reservation.slice, room, None)
        return False

    async def _judge(self, fen: int, others_fen: int) -> None:
        """A refusal is right where what PostgreSQL has left may all have been under way to somebody else."""
        others_fen = max(others_fen, self.under_way_fen - fen)
        left_fen = await self.left_fen()
        if left_fen - others_fen >= fen:
            self.wrongly_refused.append(f"{fen} of {left_fen} fen, {others_fen} under way to others")
