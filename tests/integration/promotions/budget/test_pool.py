"""The budget pool on Valkey: reservations are made once, held, given back, and never for more than there is."""

from __future__ import annotations

import asyncio

import pytest

from promotions.budget.lanes import Slice, place_of
from promotions.budget.loading import state_of
from promotions.budget.reservation import Exhausted, Reservation
from tests.support.pool_town import PoolTown
from tests.support.waiting import eventually


async def test_what_is_reserved_is_no_longer_left_and_what_is_confirmed_is_no_reservation_any_more(
    town: PoolTown,
) -> None:
    campaign = await town.campaign(1_000, counts=[5])
    await town.load(campaign)
    process = await town.process()
    reserved = await process.pool.reserve("mer_1\norder", "pay_1", [town.draw(campaign, 300)])
    assert reserved == (Reservation(campaign, town.today, 0, 300, "mer_1\norder", "pay_1", True, process.trust.epoch),)
    assert await town.left(campaign) == (700, 4, 1)
    process.pool.confirm(reserved)
    await process.pool.aclose()
    assert await town.left(campaign) == (700, 4, 0)


async def test_the_budget_is_shared_out_to_the_last_fen_and_not_one_more(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    processes = [await town.process() for _ in range(3)]
    asked = [
        process.pool.reserve(f"order {number} {of}", f"pay_{number}_{of}", [town.draw(campaign, 7)])
        for number in range(100)
        for of, process in enumerate(processes)
    ]
    answers = await asyncio.gather(*asked)
    assert sum(isinstance(answer, tuple) for answer in answers) == 142
    assert await town.left(campaign) == (6, None, 142)


async def test_the_same_order_reserves_once_and_only_its_owner_releases_it(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    first, second = await town.process(), await town.process()
    draws = [town.draw(campaign, 300)]
    answers = await asyncio.gather(
        *(first.pool.reserve("order", "pay_1", draws) for _ in range(25)),
        *(second.pool.reserve("order", "pay_2", draws) for _ in range(25)),
    )
    assert all(isinstance(answer, tuple) for answer in answers)
    assert await town.left(campaign) == (700, None, 1)
    owner, other = (first, second) if await _holds(town, campaign, "pay_1") else (second, first)
    loser = answers[-1] if owner is first else answers[0]
    winner = answers[0] if owner is first else answers[-1]
    assert isinstance(loser, tuple)
    assert isinstance(winner, tuple)
    other.pool.release(loser)
    await other.pool.aclose()
    assert await town.left(campaign) == (700, None, 1)
    owner.pool.release(winner)
    await owner.pool.aclose()
    assert await town.left(campaign) == (1_000, None, 0)


async def test_an_order_that_two_processes_take_up_at_once_leaves_one_reservation_whatever_their_slices(
    town: PoolTown,
) -> None:
    """Each may hold one of its own slice until the one whose intent came second lets go."""
    campaign = await town.campaign(1_000, 1_000)
    await town.load(campaign)
    first, second = await town.process(own=0), await town.process(own=1)
    draws = [town.draw(campaign, 300, 2)]
    won = [await first.pool.reserve("order", "pay_1", draws) for _ in range(25)][-1]
    lost = [await second.pool.reserve("order", "pay_2", draws) for _ in range(25)][-1]
    assert isinstance(won, tuple)
    assert isinstance(lost, tuple)
    second.pool.release(lost)
    await second.pool.aclose()
    assert [await town.left(campaign, number) for number in range(2)] == [(700, None, 1), (1_000, None, 0)]


async def test_an_order_that_is_priced_anew_reserves_its_new_discount_and_keeps_it(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    process = await town.process()
    reserved = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 300)])
    assert isinstance(reserved, tuple)
    process.pool.release(reserved)
    again = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 200)])
    assert isinstance(again, tuple)
    await process.pool.aclose()
    assert await town.left(campaign) == (800, None, 1)


async def test_one_refusal_releases_the_others(town: PoolTown) -> None:
    rich, poor = await town.campaign(1_000), await town.campaign(10)
    await town.load(rich)
    await town.load(poor)
    process = await town.process()
    answer = await process.pool.reserve("order", "pay_1", [town.draw(poor, 11), town.draw(rich, 100)])
    assert answer == Exhausted(poor)
    await process.pool.aclose()
    assert await town.left(rich) == (1_000, None, 0)
    assert await town.left(poor) == (10, None, 0)


async def test_a_limit_of_the_number_alone_holds_without_a_budget(town: PoolTown) -> None:
    campaign = await town.campaign(None, counts=[2])
    await town.load(campaign)
    process = await town.process()
    answers = [
        await process.pool.reserve(f"order {number}", f"pay_{number}", [town.draw(campaign, 9**9)])
        for number in range(3)
    ]
    assert [isinstance(answer, tuple) for answer in answers] == [True, True, False]
    assert await town.left(campaign) == (None, 0, 2)


async def test_what_is_given_back_is_left_again_and_a_correction_only_lowers(town: PoolTown) -> None:
    campaign = await town.campaign(1_000, counts=[5])
    await town.load(campaign)
    process = await town.process()
    process.pool.give_back(campaign, town.today, 0, 50, 1)
    process.pool.correct(campaign, town.today, 0, 700, 3)
    process.pool.correct(campaign, town.today, 0, 900, None)
    await process.pool.aclose()
    assert await town.left(campaign) == (700, 3, 0)


async def test_a_slice_that_valkey_does_not_know_is_left_to_postgresql_and_loaded_meanwhile(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    process = await town.process()
    reserved = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 300)])
    assert isinstance(reserved, tuple)
    assert not reserved[0].in_pool
    await eventually(lambda: town.is_left(campaign, 1_000))
    reserved = await process.pool.reserve("order 2", "pay_2", [town.draw(campaign, 300)])
    assert isinstance(reserved, tuple)
    assert reserved[0].in_pool


async def test_a_reservation_whose_answer_was_lost_is_let_go_with_its_payment(
    town: PoolTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    process = await town.process()
    with monkeypatch.context() as patched:
        patched.setattr(process.trust, "hear", lambda lane, raw: False)
        lost = await process.pool.reserve("order", "pay_1", [town.draw(campaign, 300)])
    assert isinstance(lost, tuple)
    assert not lost[0].in_pool
    assert await town.left(campaign) == (700, None, 1)
    process.pool.release(lost)
    await process.pool.aclose()
    assert await town.left(campaign) == (1_000, None, 0)


async def test_an_empty_slice_leads_to_the_next_one(town: PoolTown) -> None:
    campaign = await town.campaign(100, 300, 100)
    await town.load(campaign)
    process = await town.process(own=2)
    found = [
        await process.pool.reserve(f"order {number}", f"pay_{number}", [town.draw(campaign, 100, 3)])
        for number in range(5)
    ]
    assert [each[0].slice for each in found if isinstance(each, tuple)] == [2, 0, 1, 1, 1]


async def _holds(town: PoolTown, campaign: str, owner: str) -> bool:
    key = place_of(Slice(campaign, town.today, 0), (await state_of(town.database)).epoch).key
    found = await town.valkey.call("HGET", key, "oorder")
    return bool(found.endswith(owner.encode()))
