"""Near the end of a budget: nothing is refused while PostgreSQL has it, and an exhausted campaign costs little."""

from __future__ import annotations

import asyncio

from promotions.budget.lanes import Slice, place_of
from promotions.budget.reservation import Exhausted
from tests.support.pool_town import PoolTown


async def test_what_is_left_in_several_slices_is_gathered_for_a_draw_that_none_of_them_can_give(town: PoolTown) -> None:
    campaign = await town.campaign(60, 60, 60)
    await town.load(campaign)
    process = await town.process(own=1)
    answer = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 170, 3)])
    assert isinstance(answer, tuple)
    assert answer[0].in_pool
    gathered = answer[0].slice
    assert await process.pool.reserve("order 2", "pay_2", [town.draw(campaign, 11, 3)]) == Exhausted(campaign)
    lefts = [(await town.left(campaign, number))[0] for number in range(3)]
    assert lefts == [10 if number == gathered else 0 for number in range(3)]


async def test_a_slice_that_was_topped_up_meanwhile_is_found_to_have_enough(town: PoolTown) -> None:
    campaign = await town.campaign(100)
    await town.load(campaign)
    process = await town.process()
    await town.database.execute("UPDATE campaign_slices SET granted = 1000 WHERE campaign_id = $1", campaign)
    answer = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 400)])
    assert isinstance(answer, tuple)
    assert answer[0].in_pool
    assert await town.left(campaign) == (600, None, 1)


async def test_reservations_whose_payments_hold_them_are_counted_once(town: PoolTown) -> None:
    campaign = await town.campaign(100)
    await town.load(campaign)
    process = await town.process()
    first = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 40)])
    assert isinstance(first, tuple)
    assert await town.take(first[0])
    await town.valkey.call("HSET", _key(town, campaign), "left", 0)
    second = await process.pool.reserve("order 2", "pay_2", [town.draw(campaign, 60)])
    assert isinstance(second, tuple)
    assert await town.left(campaign) == (0, None, 1)


async def test_an_exhausted_campaign_is_looked_into_twice_a_second_at_most(town: PoolTown) -> None:
    campaign = await town.campaign(100, 100)
    await town.load(campaign)
    process = await town.process()
    before = await _reads(town)
    for number in range(30):
        answer = await process.pool.reserve(f"order {number}", f"pay_{number}", [town.draw(campaign, 201, 2)])
        assert answer == Exhausted(campaign)
    assert process.pool._scarcity.knows_of_none(town.draw(campaign, 201, 2))
    assert not process.pool._scarcity.knows_of_none(town.draw(campaign, 200, 2))
    assert await _reads(town) - before <= 4


async def test_many_who_find_a_slice_empty_at_once_look_into_it_together(town: PoolTown) -> None:
    campaign = await town.campaign(50, 50)
    await town.load(campaign)
    process = await town.process()
    answers = await asyncio.gather(
        *(process.pool.reserve(f"o{number}", f"pay_{number}", [town.draw(campaign, 20, 2)]) for number in range(50))
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 5
    assert [(await town.left(campaign, number))[0] for number in range(2)] == [0, 0]
    taken = [await town.take(answer[0]) for answer in answers if isinstance(answer, tuple)]
    assert all(taken)


async def test_trouble_with_postgresql_is_no_reason_to_say_that_nothing_is_left(town: PoolTown) -> None:
    """A payment may be refused where a budget is gone, never for trouble: the intent's guard decides."""
    campaign = await town.campaign(60, 60)
    await town.load(campaign)
    process = await town.process(own=1)
    async with town.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM campaign_slices WHERE campaign_id = $1 FOR UPDATE", campaign)
        answer = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 100, 2)])
    assert isinstance(answer, tuple)
    assert (answer[0].slice, answer[0].in_pool) == (1, False)


def _key(town: PoolTown, campaign: str) -> str:
    return place_of(Slice(campaign, town.today, 0), town.heart._epoch).key


async def _reads(town: PoolTown) -> int:
    """How often the slices' table was looked into."""
    async with town.database.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
    return int(
        await town.database.fetchval("SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'campaign_slices'")
    )
