"""The worker keeps the pool: a heartbeat a second, a new epoch after every loss, and no difference for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.database.valkey import Valkey
from promotions.budget.beating import Heart
from promotions.budget.epochs import BEHIND_MAX, Sign
from promotions.budget.keeping import Keeping
from promotions.budget.lanes import LANES, Slice, beat_key, place_of
from promotions.budget.loading import state_of
from promotions.budget.reconciling import LIVES_GENERATIONS
from promotions.budget.reservation import Draw, Exhausted
from tests.support.pool_town import PoolTown
from tests.support.rows import settings


async def test_of_many_workers_one_beats_each_second(town: PoolTown) -> None:
    hearts = [Heart(town.database, town.valkey) for _ in range(5)]
    before = await state_of(town.database)
    await town.database.execute("UPDATE pool_state SET beaten_at = 'epoch'")
    beaten = await asyncio.gather(*(heart.beat() for heart in hearts))
    assert sum(each is not None for each in beaten) == 1
    after = await state_of(town.database)
    assert (after.epoch, after.generation) == (before.epoch, before.generation + 1)


async def test_beats_of_different_workers_follow_each_other_without_a_new_epoch(town: PoolTown) -> None:
    other = Heart(town.database, town.valkey)
    before = await state_of(town.database)
    for heart in (town.heart, other, other, town.heart):
        await town.database.execute("UPDATE pool_state SET beaten_at = 'epoch'")
        state = await heart.beat()
        assert state is not None
        assert state.epoch == before.epoch


async def test_a_late_beat_lowers_nothing(town: PoolTown) -> None:
    await town.beat()
    before = await town.valkey.call("GET", beat_key(3))
    state = await state_of(town.database)
    await town.heart._raise(state._replace(generation=state.generation - 1), may_be_missing=False)
    assert await town.valkey.call("GET", beat_key(3)) == before


async def lose_everything(town: PoolTown) -> None:
    await town.valkey.call("FLUSHDB")


async def lose_one_lane(town: PoolTown) -> None:
    await town.valkey.call("DEL", beat_key(17))


async def bring_back_older_state(town: PoolTown) -> None:
    key = beat_key(5)
    older = await town.valkey.call("GET", key)
    await town.beat()
    await town.valkey.call("SET", key, older)


async def change_server(town: PoolTown) -> None:
    key = beat_key(5)
    generation, _, epoch = (await town.valkey.call("GET", key)).split(b":")
    await town.valkey.call("SET", key, b":".join((generation, b"f" * 40, epoch)))


async def fall_behind(town: PoolTown) -> None:
    await town.database.execute("UPDATE pool_state SET generation = generation + $1", BEHIND_MAX)


LOSSES: dict[Sign, list[Callable[[PoolTown], Awaitable[None]]]] = {
    Sign.LOST: [lose_everything, lose_one_lane],
    Sign.OLDER_SNAPSHOT: [bring_back_older_state],
    Sign.RUN_ID_CHANGED: [change_server],
    Sign.BEHIND: [fall_behind],
}


@pytest.mark.parametrize(("sign", "lose"), [(sign, lose) for sign, ways in LOSSES.items() for lose in ways])
async def test_every_sign_of_a_loss_begins_an_epoch_once_and_says_why(
    town: PoolTown, sign: Sign, lose: Callable[[PoolTown], Awaitable[None]]
) -> None:
    before = await state_of(town.database)
    await lose(town)
    await town.beat()
    row = await town.database.fetchrow("SELECT epoch, reason, fenced_at > now() - interval '9 s' FROM pool_state")
    assert tuple(row) == (before.epoch + 1, sign.value, True)
    await town.beat()
    assert (await state_of(town.database)).epoch == before.epoch + 1


async def test_a_process_fences_itself_on_the_spot_and_goes_by_postgresql_until_the_epoch_rises(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    process = await town.process()
    assert await _in_pool(process.pool.reserve("o1", "pay_1", [town.draw(campaign, 10)]))
    older = [await town.valkey.call("GET", beat_key(lane)) for lane in range(LANES)]
    await town.beat()
    assert await _in_pool(process.pool.reserve("o2", "pay_2", [town.draw(campaign, 10)]))
    for lane, raw in enumerate(older):
        await town.valkey.call("SET", beat_key(lane), raw)
    assert not await _in_pool(process.pool.reserve("o3", "pay_3", [town.draw(campaign, 10)]))
    assert process.trust.sign is Sign.OLDER_SNAPSHOT
    await process.following.check()
    assert process.trust.sign is Sign.OLDER_SNAPSHOT
    await town.beat()
    await town.load(campaign)
    await process.following.check()
    assert process.trust.sign is None
    assert await _in_pool(process.pool.reserve("o4", "pay_4", [town.draw(campaign, 10)]))


async def test_a_process_that_only_met_a_late_worker_believes_valkey_again(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    process = await town.process()
    await town.database.execute("UPDATE pool_state SET generation = generation + 4")
    await process.following.check()
    assert not await _in_pool(process.pool.reserve("o1", "pay_1", [town.draw(campaign, 10)]))
    assert process.trust.sign is Sign.BEHIND
    state = await state_of(town.database)
    for lane in range(LANES):  # a worker that was between the two writes
        _, run_id, epoch = (await town.valkey.call("GET", beat_key(lane))).split(b":")
        await town.valkey.call("SET", beat_key(lane), b"%d:%b:%b" % (state.generation, run_id, epoch))
    await process.following.check()
    assert process.trust.sign is None
    assert await _in_pool(process.pool.reserve("o2", "pay_2", [town.draw(campaign, 10)]))


async def test_a_round_loads_what_is_active_today_and_nothing_else(town: PoolTown) -> None:
    active, paused = await town.campaign(1_000, None), await town.campaign(1_000, active=False)
    keeping = Keeping(town.database, town.valkey)
    await keeping.round(await state_of(town.database))
    assert await town.left(active) == (1_000, None, 0)
    assert (await town.left(paused))[0] is None
    tally = await keeping.round(await state_of(town.database))
    assert (tally.loaded, tally.differences) == (0, 0)


async def test_lost_confirmations_and_leaked_reservations_are_found(town: PoolTown) -> None:
    campaign = await town.campaign(1_000, counts=[10])
    await town.load(campaign)
    process = await town.process()
    held = await process.pool.reserve("o1", "pay_1", [town.draw(campaign, 100)])
    leaked = await process.pool.reserve("o2", "pay_2", [town.draw(campaign, 200)])
    assert isinstance(held, tuple)
    assert isinstance(leaked, tuple)
    assert await town.take(held[0])  # nobody confirms it, and pay_2's gateway is dead
    keeping, state = Keeping(town.database, town.valkey), await state_of(town.database)
    tally = await keeping.round(state)
    assert await town.left(campaign) == (700, 8, 1)
    assert tally.differences == 0  # a confirmation that is on its way is none
    tally = await keeping.round(state._replace(generation=state.generation + 4))
    assert tally.late_fen == 200
    await keeping.round(state._replace(generation=state.generation + LIVES_GENERATIONS))
    assert await town.left(campaign) == (700, 8, 1)
    tally = await keeping.round(state._replace(generation=state.generation + LIVES_GENERATIONS + 1))
    assert tally.expired == 1
    assert await town.left(campaign) == (900, 9, 0)


async def test_a_dead_process_strands_what_it_had_under_way_for_half_a_minute_and_no_more(town: PoolTown) -> None:
    """The bound of docs/campaigns.md: payments under way times the largest discount, until they expire."""
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    dead, alive = await town.process(), await town.process()
    for number in range(9):
        assert isinstance(await dead.pool.reserve(f"o{number}", f"pay_{number}", [town.draw(campaign, 100)]), tuple)
    assert await alive.pool.reserve("o10", "pay_10", [town.draw(campaign, 101)]) == Exhausted(campaign)
    assert isinstance(await alive.pool.reserve("o11", "pay_11", [town.draw(campaign, 100)]), tuple)
    state = await state_of(town.database)
    later = state._replace(generation=state.generation + LIVES_GENERATIONS + 1)
    tally = await Keeping(town.database, town.valkey).round(later)
    assert (tally.expired, (await town.left(campaign))[0]) == (10, 1_000)


async def test_however_many_reservations_leaked_one_round_finds_them(town: PoolTown) -> None:
    """More than Lua passes to one command."""
    campaign, leaked = await town.campaign(100_000), 9_000
    await town.load(campaign)
    state = await state_of(town.database)
    key = place_of(Slice(campaign, town.today, 0), state.epoch).key
    reservations = [each for number in range(leaked) for each in (f"oR-{number}", f"10:1:pay_{number}")]
    await town.valkey.call("HSET", key, *reservations, "left", 100_000 - 10 * leaked)
    tally = await Keeping(town.database, town.valkey).round(
        state._replace(generation=state.generation + LIVES_GENERATIONS + 1)
    )
    assert tally.expired == leaked
    assert await town.left(campaign) == (100_000, None, 0)


async def test_a_reservation_whose_payment_holds_it_never_expires_into_the_budget(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    process = await town.process()
    held = await process.pool.reserve("o1", "pay_1", [town.draw(campaign, 100)])
    assert isinstance(held, tuple)
    assert await town.take(held[0])
    state = await state_of(town.database)
    await Keeping(town.database, town.valkey).round(state._replace(generation=state.generation + 1_000))
    assert await town.left(campaign) == (900, None, 0)


async def test_rounds_between_payments_never_say_that_more_is_left_than_there_is(town: PoolTown) -> None:
    """Reconciled without a pause while payments reserve, commit and confirm: in the end both agree to the fen."""
    campaign = await town.campaign(3_000, 3_000)
    await town.load(campaign)
    processes = [await town.process(own=number) for number in range(2)]
    keeping, state = Keeping(town.database, town.valkey), await state_of(town.database)
    is_over = asyncio.Event()

    async def pay(number: int) -> int:
        pool = processes[number % 2].pool
        reserved = await pool.reserve(
            f"o{number}", f"pay_{number:04}", [Draw(campaign, town.today, 2, 13 + number % 7)]
        )
        if not isinstance(reserved, tuple) or number % 5 == 0 or not await town.take(reserved[0]):
            pool.release(reserved if isinstance(reserved, tuple) else ())
            return 0
        pool.confirm(reserved)
        return reserved[0].fen

    async def reconcile() -> int:
        rounds = 0
        while not is_over.is_set():
            await keeping.round(state)
            rounds += 1
        return rounds

    rounds = asyncio.create_task(reconcile())
    gate = asyncio.Semaphore(20)

    async def in_turn(number: int) -> int:
        async with gate:
            return await pay(number)

    spent = sum(await asyncio.gather(*(in_turn(number) for number in range(600))))
    for process in processes:
        await process.pool.aclose()
    is_over.set()
    assert await rounds > 3
    await keeping.round(state)
    used = await town.database.fetchval("SELECT sum(used) FROM campaign_slices WHERE campaign_id = $1", campaign)
    lefts = [await town.left(campaign, number) for number in range(2)]
    assert used == spent
    assert spent + sum(left[0] or 0 for left in lefts) == 6_000
    # Two slices may each have too little for the largest payment, and of twenty at once nineteen can let go at the end.
    assert sum(left[0] or 0 for left in lefts) < (2 + 19) * 19, "the budget was not fought for"
    assert [left[2] for left in lefts] == [0, 0]


async def test_keeping_goes_on_through_trouble_of_both_stores(town: PoolTown, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Valkey(settings("postgresql://nobody@/none", "redis://127.0.0.1:1/0"))
    keeping = Keeping(town.database, away)
    await town.database.execute("UPDATE pool_state SET beaten_at = 'epoch'")
    state = await keeping.beat()
    assert state is not None  # PostgreSQL's generation rises all the same
    tally = await keeping.round(state)
    assert tally.loaded == 0
    await away.aclose()


async def _in_pool(asked: Awaitable[object]) -> bool:
    answer = await asked
    assert isinstance(answer, tuple)
    return bool(answer[0].in_pool)
