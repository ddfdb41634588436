"""Group commit without a database: who travels together, who waits, and who is told when something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.database.group_commit import GroupCommit
from gateway.kernel.errors import Unavailable


class Commits:
    """A flush that the test holds and releases; a row that is an exception comes back as its own result."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.under_way = 0
        self.under_way_max = 0
        self.fails_with: Exception | None = None

    async def __call__(self, rows: Sequence[Any]) -> list[Any]:
        self.batches.append(list(rows))
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        try:
            await self.free.wait()
            if self.fails_with is not None:
                raise self.fails_with
            return [row if isinstance(row, Exception) else f"done {row}" for row in rows]
        finally:
            self.under_way -= 1


def group(
    commits: Any, *, rows_max: int = 4, queue_max: int = 100, linger_ms_max: float = 5.0
) -> GroupCommit[Any, Any]:
    return GroupCommit("test", commits, rows_max=rows_max, queue_max=queue_max, linger_ms_max=linger_ms_max)


async def submit_behind_a_held_batch(
    commits: Commits, waiting: GroupCommit[Any, Any], rows: Sequence[Any]
) -> list[Any]:
    """Tasks for a first row, which is under way, and for the others, which wait behind it in their order."""
    commits.free.clear()
    tasks = []
    for row in ("first", *rows):
        tasks.append(asyncio.create_task(waiting.submit(row)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_a_lone_row_leaves_at_once_and_alone() -> None:
    commits = Commits()
    waiting = group(commits, linger_ms_max=10_000)
    assert await waiting.submit("a") == "done a"
    assert waiting.linger_s == 0
    assert commits.batches == [["a"]]


async def test_rows_that_wait_behind_a_commit_leave_together_in_order_and_at_most_rows_max_at_once() -> None:
    commits = Commits()
    tasks = await submit_behind_a_held_batch(commits, group(commits, linger_ms_max=0), range(6))
    commits.free.set()
    assert await asyncio.gather(*tasks) == ["done first", *[f"done {row}" for row in range(6)]]
    assert commits.batches == [["first"], [0, 1, 2, 3], [4, 5]]
    assert commits.under_way_max == 1


async def test_under_load_a_batch_lingers_until_it_is_full() -> None:
    commits = Commits()
    waiting = group(commits, rows_max=3, linger_ms_max=10_000)
    waiting._lingering.gap_s, waiting._lingering.commit_s = 0.0001, 0.01
    assert waiting.linger_s == 10
    tasks = [asyncio.create_task(waiting.submit(row)) for row in "ab"]
    for _ in range(20):
        await asyncio.sleep(0)
    assert commits.batches == []
    tasks.append(asyncio.create_task(waiting.submit("c")))
    await asyncio.gather(*tasks)
    assert commits.batches == [["a", "b", "c"]]


async def test_a_batch_that_is_not_full_leaves_when_it_has_lingered_long_enough() -> None:
    commits = Commits()
    waiting = group(commits, linger_ms_max=5)
    waiting._lingering.gap_s, waiting._lingering.commit_s = 0.0001, 0.01
    assert await asyncio.wait_for(waiting.submit("a"), 2) == "done a"


async def test_past_the_queues_bound_a_row_is_refused_at_once_and_the_others_go_through() -> None:
    commits = Commits()
    waiting = group(commits, queue_max=2)
    tasks = await submit_behind_a_held_batch(commits, waiting, ["a", "b"])
    with pytest.raises(Unavailable):
        await waiting.submit("one too many")
    commits.free.set()
    assert await asyncio.gather(*tasks) == ["done first", "done a", "done b"]


async def test_a_waiter_that_is_cancelled_loses_neither_its_row_nor_its_neighbours() -> None:
    commits = Commits()
    tasks = await submit_behind_a_held_batch(commits, group(commits), ["a", "b", "c"])
    tasks[2].cancel()
    commits.free.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answers[0], answers[1], answers[3]] == ["done first", "done a", "done c"]
    assert isinstance(answers[2], asyncio.CancelledError)
    assert commits.batches[-1] == ["a", "b", "c"]


async def test_an_exception_given_for_one_row_reaches_that_row_only() -> None:
    commits, bad = Commits(), ValueError("bad row")
    tasks = await submit_behind_a_held_batch(commits, group(commits), ["a", bad, "c"])
    commits.free.set()
    assert await asyncio.gather(*tasks, return_exceptions=True) == ["done first", "done a", bad, "done c"]


async def test_an_exception_raised_by_flush_reaches_every_row_of_its_batch_and_the_next_batch_goes_on() -> None:
    commits = Commits()
    waiting = group(commits)
    tasks = await submit_behind_a_held_batch(commits, waiting, ["a", "b"])
    commits.fails_with = ConnectionError("away")
    commits.free.set()
    assert all(isinstance(found, ConnectionError) for found in await asyncio.gather(*tasks, return_exceptions=True))
    commits.fails_with = None
    assert await waiting.submit("later") == "done later"


async def test_a_flush_that_gives_too_few_results_leaves_nobody_waiting() -> None:
    async def forgetful(rows: Sequence[Any]) -> list[Any]:
        return [rows[0]][: len(rows) - 1]

    with pytest.raises(ValueError, match="zip"):
        await asyncio.wait_for(group(forgetful).submit("a"), 2)


async def test_nobody_is_left_waiting_when_the_sender_is_cancelled() -> None:
    commits = Commits()
    waiting = group(commits)
    tasks = await submit_behind_a_held_batch(commits, waiting, [])
    assert waiting._runner is not None
    waiting._runner.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(tasks[0]), 2)
    assert tasks[0].cancelled()
