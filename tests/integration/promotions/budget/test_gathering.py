"""What is left in several slices is put together while many want it: somebody gets it, whoever moves it when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gateway.database.valkey import Valkey
from promotions.budget.epochs import Trust
from promotions.budget.following import Following
from promotions.budget.gathering import Free, gather
from promotions.budget.lanes import Slice
from promotions.budget.loading import Room, rooms_of
from promotions.budget.pool import BudgetPool
from tests.support.pool_town import PoolTown, Process
from tests.support.rows import settings

_FEN = 500


@pytest.fixture
async def processes(town: PoolTown) -> AsyncIterator[list[Process]]:
    """Three that do not reach Valkey, each with a slice of its own."""
    async with AsyncExitStack() as stack:
        made = []
        for own in range(3):
            valkey, trust = Valkey(settings("postgresql://nobody@/none", "redis://127.0.0.1:1/0")), Trust()
            pool = BudgetPool(town.database, valkey, trust, own)
            process = Process(valkey, trust, pool, Following(town.database, valkey, trust))
            stack.push_async_callback(process.aclose)
            await process.following.check()
            made.append(process)
        yield made


async def pay(town: PoolTown, process: Process, campaign: str, order: str) -> bool:
    """As payments do: a slice that PostgreSQL found too empty is corrected, and another one asked for once."""
    for _ in range(2):
        reserved = await process.pool.reserve(order, f"pay_{order}", [town.draw(campaign, _FEN, 3)])
        if not isinstance(reserved, tuple):
            return False
        if await town.take(reserved[0]):
            return True
        process.pool.correct(campaign, town.today, reserved[0].slice, await town.room(reserved[0]), None)
    return False


async def test_somebody_gets_what_is_put_together(town: PoolTown, processes: list[Process]) -> None:
    for attempt in range(30):
        campaign = await town.campaign(211, 212, 213)
        paying = [pay(town, processes[number % 3], campaign, f"{attempt}-{number}") for number in range(9)]
        assert sum(await asyncio.gather(*paying)) == 1, f"attempt {attempt}"


async def test_what_is_together_already_stays_where_it_is(town: PoolTown) -> None:
    """Whoever looked before it was put together is told where it is now."""
    campaign = await town.campaign(211, 212, 213)
    seen = [Free(room) for room in await rooms_of(town.database, campaign, town.today)]
    first = await gather(town.database, seen, _FEN)
    later = [Free(Room(Slice(campaign, town.today, number), 212, None)) for number in range(3)]
    assert await gather(town.database, later, _FEN) == first
