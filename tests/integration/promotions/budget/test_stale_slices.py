"""Valkey shows slices as they were (a replica that was behind, an older file): PostgreSQL refuses, another is found."""

from __future__ import annotations

from promotions.budget.reservation import Reservation
from tests.support.pool_town import PoolTown, Process


async def pay(town: PoolTown, process: Process, campaign: str, fen: int, slices: int) -> list[int]:
    """As a payment does whose slices are found empty by PostgreSQL: the slices that were asked, one after the other."""
    asked = []
    while True:
        reserved = await process.pool.reserve("order", "pay_1", [town.draw(campaign, fen, slices)])
        if not isinstance(reserved, tuple):
            return asked
        asked.append(reserved[0].slice)
        if await town.take(reserved[0]):
            return asked
        await refused(town, process, reserved[0])


async def refused(town: PoolTown, process: Process, reservation: Reservation) -> None:
    room = await town.room(reservation)
    process.pool.release([reservation])  # at once before the correction, as a payment does
    process.pool.correct(reservation.campaign_id, reservation.day, reservation.slice, room, None)


async def spent_unseen(town: PoolTown, campaign: str, number: int, left_fen: int) -> None:
    """PostgreSQL has only so much left; Valkey has not heard of it, and its server not of any script."""
    await town.database.execute(
        "UPDATE campaign_slices SET used = granted - $3 WHERE campaign_id = $1 AND slice = $2",
        campaign,
        number,
        left_fen,
    )
    await town.valkey.call("SCRIPT", "FLUSH")


async def test_a_correction_is_there_before_the_next_question_even_where_the_script_was_forgotten(
    town: PoolTown,
) -> None:
    campaign = await town.campaign(5_000, 5_000)
    await town.load(campaign)
    process = await town.process(own=0)
    await spent_unseen(town, campaign, 0, 312)
    assert await pay(town, process, campaign, 500, 2) == [0, 1]


async def test_what_all_slices_have_together_is_found_after_each_of_them_was_refused(town: PoolTown) -> None:
    campaign = await town.campaign(5_000, 5_000, 5_000)
    await town.load(campaign)
    process = await town.process(own=0)
    for number in range(3):
        await spent_unseen(town, campaign, number, 200)
    asked = await pay(town, process, campaign, 500, 3)
    assert asked[:3] == [0, 1, 2]
    assert len(asked) == 4
    left = "SELECT sum(granted - used)::bigint FROM campaign_slices WHERE campaign_id = $1"
    assert await town.database.fetchval(left, campaign) == 100
