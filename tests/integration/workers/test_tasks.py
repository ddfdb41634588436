"""The worker's queue: a task has one holder at a time, and who lost the lease cannot use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.workers.tasks import Purpose, Task, TaskQueue
from tests.support.rows import settings

LEASE_S = 30.0


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


@pytest.fixture
async def queue(pool: asyncpg.Pool) -> TaskQueue:
    """An empty queue."""
    await pool.execute("TRUNCATE recovery_tasks")
    return TaskQueue(pool, LEASE_S)


async def add(pool: asyncpg.Pool, number: int, due_in_s: float = 0, purpose: Purpose = Purpose.RESOLVE) -> str:
    payment_id = f"pay_{number:03}"
    await pool.execute(
        "INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)"
        " VALUES ($1, 'mer_1', $2, now() + make_interval(secs => $3), now())",
        payment_id,
        purpose,
        due_in_s,
    )
    return payment_id


async def expire(pool: asyncpg.Pool, task: Task) -> None:
    """Let the lease run out."""
    await pool.execute(
        "UPDATE recovery_tasks SET lease_until = now() - interval '1 second' WHERE payment_id = $1", task.payment_id
    )


async def left(pool: asyncpg.Pool) -> list[tuple[str, int, bool]]:
    found = await pool.fetch(
        "SELECT payment_id, lease_token, lease_until IS NULL AS free FROM recovery_tasks ORDER BY payment_id"
    )
    return [tuple(record) for record in found]


async def test_a_due_task_is_leased_once_with_the_databases_time(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    payment_id = await add(pool, 1)
    [task] = await queue.lease(10)
    assert (task.payment_id, task.purpose, task.tries, task.lease_token) == (payment_id, Purpose.RESOLVE, 1, 1)
    assert abs((task.now - await pool.fetchval("SELECT now()")).total_seconds()) < 5
    assert await queue.lease(10) == []


async def test_a_task_that_is_not_due_is_left_alone(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    await add(pool, 1, due_in_s=60)
    assert await queue.lease(10) == []


async def test_the_longest_due_come_first_and_no_more_than_asked_for(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    for number, due in enumerate([-1, -30, -20]):
        await add(pool, number, due)
    assert {task.payment_id for task in await queue.lease(2)} == {"pay_001", "pay_002"}


async def test_many_workers_at_once_never_hold_the_same_task(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    for number in range(60):
        await add(pool, number)
    shares = await asyncio.gather(*[TaskQueue(pool, LEASE_S).lease(9) for _ in range(12)])
    held = [task.payment_id for share in shares for task in share]
    assert len(held) == len(set(held))
    held += [task.payment_id for task in await queue.lease(60)]
    assert sorted(held) == [f"pay_{number:03}" for number in range(60)]


async def test_a_locked_row_is_skipped_and_not_waited_for(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    await add(pool, 1, -10)
    await add(pool, 2)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM recovery_tasks WHERE payment_id = 'pay_001' FOR UPDATE")
        tasks = await asyncio.wait_for(queue.lease(1), 2)
    assert [task.payment_id for task in tasks] == ["pay_002"]


async def test_a_lease_that_ran_out_goes_to_the_next_worker(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    await add(pool, 1)
    [lost] = await queue.lease(1)
    await expire(pool, lost)
    [task] = await queue.lease(1)
    assert (task.lease_token, task.tries) == (2, 2)


async def test_a_lost_lease_can_neither_finish_nor_put_off(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    await add(pool, 1)
    [lost] = await queue.lease(1)
    await expire(pool, lost)
    [held] = await queue.lease(1)
    before = await pool.fetchrow("SELECT * FROM recovery_tasks")
    await queue.finish(lost)
    await queue.put_off(lost, 600)
    assert await pool.fetchrow("SELECT * FROM recovery_tasks") == before
    await queue.finish(held)
    assert await left(pool) == []


async def test_a_task_that_is_put_off_is_free_and_due_later(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    await add(pool, 1)
    [task] = await queue.lease(1)
    await queue.put_off(task, 600)
    assert await left(pool) == [("pay_001", 1, True)]
    assert await queue.lease(1) == []
    await pool.execute("UPDATE recovery_tasks SET next_at = now()")
    assert [again.tries for again in await queue.lease(1)] == [2]


async def test_finishing_one_purpose_leaves_the_others(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    for purpose in Purpose:
        await add(pool, 1, purpose=purpose)
    tasks = await queue.lease(10)
    await queue.finish(next(task for task in tasks if task.purpose is Purpose.WATCH))
    found = await pool.fetch("SELECT purpose FROM recovery_tasks ORDER BY purpose")
    assert [record["purpose"] for record in found] == ["give_back", "refund", "resolve", "reward"]


async def wake(pool: asyncpg.Pool) -> None:
    """Somebody wants the task to be looked at now."""
    await pool.execute("UPDATE recovery_tasks SET next_at = now()")


async def test_a_task_that_is_woken_while_a_worker_is_at_it_stays_due(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    """What woke it may have come after the worker looked."""
    await add(pool, 1)
    [task] = await queue.lease(1)
    await wake(pool)
    await queue.put_off(task, 600)
    [again] = await queue.lease(1)
    assert again.tries == 2
    await wake(pool)
    await queue.defer(again, 600)
    assert [each.tries for each in await queue.lease(1)] == [2]


async def test_a_task_that_is_woken_while_a_worker_is_at_it_is_not_finished(
    queue: TaskQueue, pool: asyncpg.Pool
) -> None:
    await add(pool, 1)
    [task] = await queue.lease(1)
    await wake(pool)
    await queue.finish(task)
    [again] = await queue.lease(1)
    await queue.finish(again)
    assert await left(pool) == []


async def test_a_task_that_becomes_another_one_counts_its_tries_anew(queue: TaskQueue, pool: asyncpg.Pool) -> None:
    await add(pool, 1)
    for _ in range(3):
        [task] = await queue.lease(1)
        await queue.put_off(task, 0)
    [task] = await queue.lease(1)
    await queue.begin_anew(task, 600)
    assert await queue.lease(1) == []
    await wake(pool)
    assert [(again.tries, again.created_at) for again in await queue.lease(1)] == [(1, task.created_at)]
