"""Without Valkey: PostgreSQL decides, and a payment is led to a slice that has something left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.database.valkey import Valkey
from promotions.budget.epochs import Trust
from promotions.budget.following import Following
from promotions.budget.pool import BudgetPool
from promotions.budget.reservation import Exhausted
from tests.support.pool_town import PoolTown, Process
from tests.support.rows import settings


@pytest.fixture
async def alone(town: PoolTown) -> AsyncIterator[Process]:
    """A process that does not reach Valkey."""
    valkey, trust = Valkey(settings("postgresql://nobody@/none", "redis://127.0.0.1:1/0")), Trust()
    pool = BudgetPool(town.database, valkey, trust, 1)
    process = Process(valkey, trust, pool, Following(town.database, valkey, trust))
    await process.following.check()
    yield process
    await process.aclose()


async def test_with_one_slice_nothing_is_looked_up_and_the_guard_decides(town: PoolTown, alone: Process) -> None:
    campaign = await town.campaign(10)
    answer = await alone.pool.reserve("order", "pay_1", [town.draw(campaign, 11)])
    assert isinstance(answer, tuple)
    assert (answer[0].slice, answer[0].in_pool) == (0, False)
    assert not await town.take(answer[0])


async def test_the_process_s_own_slice_is_chosen_while_it_has_enough_then_the_one_with_most(
    town: PoolTown, alone: Process
) -> None:
    campaign = await town.campaign(200, 150, 300)
    chosen = []
    for number in range(6):
        answer = await alone.pool.reserve(f"o{number}", f"pay_{number}", [town.draw(campaign, 100, 3)])
        assert isinstance(answer, tuple)
        assert await town.take(answer[0])
        chosen.append(answer[0].slice)
    assert chosen == [1, 2, 0, 2, 0, 2]


async def test_leftovers_are_gathered_and_exhausted_is_said_only_where_postgresql_says_so(
    town: PoolTown, alone: Process
) -> None:
    campaign = await town.campaign(40, 40, 40)
    answer = await alone.pool.reserve("o1", "pay_1", [town.draw(campaign, 115, 3)])
    assert isinstance(answer, tuple)
    assert await town.take(answer[0])
    assert await alone.pool.reserve("o2", "pay_2", [town.draw(campaign, 6, 3)]) == Exhausted(campaign)
    await town.database.execute(
        "UPDATE campaign_slices SET granted = granted + 1 WHERE campaign_id = $1 AND slice = 2", campaign
    )
    answer = await alone.pool.reserve("o3", "pay_3", [town.draw(campaign, 6, 3)])
    assert isinstance(answer, tuple)
    assert await town.take(answer[0])


async def test_a_slice_that_postgresql_refused_is_not_chosen_again(town: PoolTown, alone: Process) -> None:
    campaign = await town.campaign(500_000, 500_000)
    first = await alone.pool.reserve("o1", "pay_1", [town.draw(campaign, 10, 2)])
    assert isinstance(first, tuple)
    await town.database.execute(
        "UPDATE campaign_slices SET used = granted WHERE campaign_id = $1 AND slice = $2", campaign, first[0].slice
    )
    assert not await town.take(first[0])
    alone.pool.correct(campaign, town.today, first[0].slice, 0, None)
    second = await alone.pool.reserve("o2", "pay_2", [town.draw(campaign, 10, 2)])
    assert isinstance(second, tuple)
    assert await town.take(second[0])


async def test_a_day_without_slices_is_left_to_the_guard(town: PoolTown, alone: Process) -> None:
    answer = await alone.pool.reserve("order", "pay_1", [town.draw("cmp_none", 5, 4)])
    assert isinstance(answer, tuple)
    assert answer[0].slice == 1


async def test_what_cannot_be_told_stops_nobody(town: PoolTown, alone: Process) -> None:
    campaign = await town.campaign(1_000)
    alone.pool.give_back(campaign, town.today, 0, 5, 1)
    answer = await alone.pool.reserve("order", "pay_1", [town.draw(campaign, 5)])
    assert isinstance(answer, tuple)
    alone.pool.confirm(answer)
    alone.pool.release(answer)
    await asyncio.wait_for(alone.pool.aclose(), 2)
