"""The statement between two attempts: guarded row by row, safe to send again, the same in batches as one at a time."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.database.failovers import FailoverResult, FailoverRow, failover_batch
from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import OutcomeResult, outcome_batch
from gateway.database.pool import open_pool
from gateway.kernel.errors import Unavailable
from gateway.kernel.ids import new_id
from gateway.payments.states import Event
from tests.support.proxy import Proxy
from tests.support.rows import content, failing_over, intent, outcome, settings
from tests.support.servers import TestServers

_EXAMPLES: Final = itertools.count(1)


async def begun(pool: asyncpg.Pool, count: int = 1, **changes: Any) -> list[IntentRow]:
    """Payments whose intent is committed."""
    merchant = new_id("mer")
    rows = [intent(new_id("pay"), merchant, **changes) for _ in range(count)]
    assert all(found.inserted for found in await intent_batch(pool).flush(rows))  # type: ignore[union-attr]
    return rows


async def fail_over(pool: asyncpg.Pool, *rows: FailoverRow) -> list[FailoverResult]:
    """What became of each."""
    found = await failover_batch(pool).flush(rows)
    assert all(isinstance(result, FailoverResult) for result in found), found
    return found  # type: ignore[return-value]


async def attempts(pool: asyncpg.Pool, row: IntentRow) -> list[tuple[Any, ...]]:
    """Number, account, state and the channel's word of each."""
    found = await pool.fetch(
        "SELECT seq, account_id, state, channel_code FROM attempts WHERE payment_id = $1 ORDER BY seq", row.payment_id
    )
    return [tuple(record) for record in found]


async def test_one_attempt_ends_and_the_next_begins_in_one_commit(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool, routing='{"account": "wechat_direct"}')
    [result] = await fail_over(pool, failing_over(row))
    assert result.applied
    assert await attempts(pool, row) == [
        (1, "wechat_direct", "unsent", "connect_failed"),
        (2, "wechat_second", "open", None),
    ]
    payment = await pool.fetchrow("SELECT * FROM payments WHERE id = $1", row.payment_id)
    assert (payment["status"], payment["attempt_seq"], payment["account_id"]) == ("processing", 2, "wechat_second")
    assert (payment["attempt_at"], payment["version"], payment["any_wallet"]) == (result.at, 2, False)
    second = await pool.fetchrow("SELECT * FROM attempts WHERE payment_id = $1 AND seq = 2", row.payment_id)
    assert (second["created_at"], second["send_before"] - result.at) == (result.at, timedelta(seconds=5))
    first = await pool.fetchrow("SELECT * FROM attempts WHERE payment_id = $1 AND seq = 1", row.payment_id)
    assert (first["routing"], first["finished_at"]) == ('{"account": "wechat_direct"}', result.at)
    assert second["routing"] == '{"account": "wechat_second"}'
    types = await pool.fetch("SELECT type FROM events WHERE payment_id = $1 ORDER BY seq", row.payment_id)
    assert [record["type"] for record in types] == ["payment.created", "payment.attempt_opened"]
    assert await pool.fetchval("SELECT next_at FROM recovery_tasks WHERE payment_id = $1", row.payment_id) == (
        result.at + timedelta(seconds=15)
    )


@pytest.mark.parametrize(
    "change",
    [
        "status = 'succeeded'",
        "status = 'failed'",
        "status = 'closed'",
        "status = 'requires_action'",
        "reversal = 'pending'",
        "reversal = 'failed'",
        "review = 'x'",
        "expires_at = now()",
        "attempt_seq = 2",
        "attempt_seq = 0",
    ],
)
async def test_a_payment_that_is_not_being_taken_any_more_is_left_out_and_its_neighbours_go_on(
    pool: asyncpg.Pool, change: str
) -> None:
    rows = await begun(pool, 3)
    await pool.execute(f"UPDATE payments SET {change} WHERE id = $1", rows[1].payment_id)
    before = await pool.fetchrow("SELECT * FROM payments WHERE id = $1", rows[1].payment_id)
    assert [result.applied for result in await fail_over(pool, *map(failing_over, rows))] == [True, False, True]
    assert await pool.fetchrow("SELECT * FROM payments WHERE id = $1", rows[1].payment_id) == before
    assert len(await attempts(pool, rows[1])) == 1
    written = await content(pool, [rows[0].merchant_id])
    assert len([record for record in written["events"] if record[3] == "payment.attempt_opened"]) == 2


async def test_the_thirty_first_attempt_is_the_last(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool)
    await pool.execute("UPDATE payments SET attempt_seq = 31 WHERE id = $1", row.payment_id)
    assert not (await fail_over(pool, failing_over(row, seq=31)))[0].applied


async def test_sending_again_writes_nothing_and_says_that_the_attempt_stands(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool)
    [first] = await fail_over(pool, failing_over(row))
    before = await content(pool, [row.merchant_id])
    [again] = await fail_over(pool, failing_over(row))
    assert again == first
    assert await content(pool, [row.merchant_id]) == before


@pytest.mark.parametrize("change", ["reversal = 'pending'", "status = 'failed'", "review = 'x'", "attempt_seq = 3"])
async def test_sending_again_does_not_revive_what_a_worker_has_taken_over_meanwhile(
    pool: asyncpg.Pool, change: str
) -> None:
    """The commit was not heard of; before it is asked about, the payment has gone its way."""
    [row] = await begun(pool)
    await fail_over(pool, failing_over(row))
    await pool.execute(f"UPDATE payments SET {change} WHERE id = $1", row.payment_id)
    assert not (await fail_over(pool, failing_over(row)))[0].applied


async def test_another_account_is_not_mistaken_for_the_one_that_was_opened(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool)
    await fail_over(pool, failing_over(row))
    assert not (await fail_over(pool, failing_over(row, account_id="wechat_third")))[0].applied
    assert [attempt[1] for attempt in await attempts(pool, row)] == ["wechat_direct", "wechat_second"]


async def test_of_two_processes_that_race_one_opens_the_next_attempt(pool: asyncpg.Pool) -> None:
    for _ in range(20):
        [row] = await begun(pool)
        results = await asyncio.gather(
            *[fail_over(pool, failing_over(row, account_id=f"wechat_{number}")) for number in range(4)]
        )
        assert [found.applied for [found] in results].count(True) == 1
        assert len(await attempts(pool, row)) == 2


async def test_a_sending_that_waits_for_an_earlier_one_of_the_same_row_finds_its_attempt(pool: asyncpg.Pool) -> None:
    """The connection broke in the midst of it, and the server went on."""
    for _ in range(20):
        [row] = await begun(pool)
        results = await asyncio.gather(*[fail_over(pool, failing_over(row)) for _ in range(3)])
        assert [(found.applied, found.at) for [found] in results] == [(True, results[0][0].at)] * 3
        assert len(await attempts(pool, row)) == 2


async def test_a_reversal_that_races_shuts_the_next_attempt_out_or_comes_after_it(pool: asyncpg.Pool) -> None:
    for _ in range(40):
        [row] = await begun(pool)
        reversal = "UPDATE payments SET reversal = 'pending' WHERE id = $1 AND attempt_seq = 1"
        [result], begun_ = await asyncio.gather(
            fail_over(pool, failing_over(row)), pool.execute(reversal, row.payment_id)
        )
        assert result.applied is (begun_ == "UPDATE 0")
        assert len(await attempts(pool, row)) == 1 + result.applied


async def test_an_outcome_of_the_attempt_that_was_left_is_not_applied(pool: asyncpg.Pool) -> None:
    [row] = await begun(pool)
    await fail_over(pool, failing_over(row))
    for kind in (Event.CAPTURED, Event.UNSENT, Event.DECLINED, Event.NOT_CREATED, Event.REVERSED):
        [late] = await outcome_batch(pool).flush([outcome(row, kind)])
        assert isinstance(late, OutcomeResult)
        assert not late.applied
    [result] = await outcome_batch(pool).flush([outcome(row, Event.CAPTURED, seq=2)])
    assert isinstance(result, OutcomeResult)
    assert result.applied
    assert [attempt[2] for attempt in await attempts(pool, row)] == ["unsent", "captured"]


@pytest.fixture
async def proxied(servers: TestServers, database_url: str, tmp_path: Path) -> AsyncIterator[tuple[asyncpg.Pool, Proxy]]:
    """A pool that reaches the database through a proxy."""
    folder = re.search(r"host=([^&]+)", database_url)
    assert folder is not None
    name = ".s.PGSQL.5432"
    async with Proxy.before(Path(folder[1]) / name, tmp_path / name) as proxy:
        url = database_url.replace(folder[1], quote(str(tmp_path), safe="/"))
        opened = await open_pool(settings(url, database_command_timeout_s=0.5), size=2)
        yield opened, proxy
        opened.terminate()


async def test_a_commit_whose_answer_is_lost_has_opened_the_attempt_once(
    pool: asyncpg.Pool, proxied: tuple[asyncpg.Pool, Proxy]
) -> None:
    through, proxy = proxied
    rows = await begun(pool, 2)
    await through.fetchval("SELECT 1")
    proxy.lose_answer(b"SELECT 2\0")
    results = await fail_over(through, *map(failing_over, rows))
    assert proxy.answers_lost == 1
    assert [result.applied for result in results] == [True, True]
    for row, result in zip(rows, results, strict=True):
        assert [attempt[2] for attempt in await attempts(pool, row)] == ["unsent", "open"]
        assert await pool.fetchval("SELECT attempt_at FROM payments WHERE id = $1", row.payment_id) == result.at


async def test_while_the_database_is_away_it_is_said_that_nothing_is_known(
    pool: asyncpg.Pool, proxied: tuple[asyncpg.Pool, Proxy]
) -> None:
    through, proxy = proxied
    [row] = await begun(pool)
    await through.fetchval("SELECT 1")
    proxy.reset_connections()
    proxy.upstream = Path("/nowhere")
    batch = failover_batch(through)
    batch._settle_within_s = 0.3
    [result] = await batch.flush([failing_over(row)])
    assert isinstance(result, Unavailable)


@dataclass(frozen=True)
class Step:
    """Failovers of payments by their number, from an attempt to an account, or changes by somebody else."""

    failovers: tuple[tuple[int, int, int], ...] = ()
    captured: tuple[tuple[int, int], ...] = ()
    cancelled: tuple[int, ...] = ()


_PAYMENTS: Final = 4
numbers = st.integers(0, _PAYMENTS - 1)
seqs = st.integers(1, 3)
steps = st.one_of(
    st.lists(st.tuples(numbers, seqs, st.integers(0, 2)), min_size=1, max_size=6).map(
        lambda found: Step(failovers=tuple(found))
    ),
    st.lists(st.tuples(numbers, seqs), min_size=1, max_size=3).map(lambda found: Step(captured=tuple(found))),
    st.lists(numbers, min_size=1, max_size=2).map(lambda found: Step(cancelled=tuple(found))),
)


@dataclass
class World:
    """One run of a history; its payments' numbers and the answers to compare."""

    pool: asyncpg.Pool
    name: str
    one_by_one: bool

    async def run(self, history: Sequence[Step]) -> list[bool]:
        rows = [intent(f"pay_{self.name}_{number}", f"mer_{self.name}") for number in range(_PAYMENTS)]
        await intent_batch(self.pool).flush(rows)
        answers: list[bool] = []
        for step in history:
            for part in [[one] for one in step.failovers] if self.one_by_one else [list(step.failovers)]:
                given_ = [failing_over(rows[number], seq=seq, account_id=f"w{to}") for number, seq, to in part]
                answers += [result.applied for result in await fail_over(self.pool, *given_)] if given_ else []
            for number, seq in step.captured:
                await outcome_batch(self.pool).flush([outcome(rows[number], Event.CAPTURED, seq=seq)])
            for number in step.cancelled:
                await self.pool.execute(
                    "UPDATE payments SET reversal = 'pending' WHERE id = $1 AND status = 'processing'",
                    rows[number].payment_id,
                )
        return answers

    async def content(self) -> str:
        return repr(await content(self.pool, [f"mer_{self.name}"])).replace(self.name, "world")


def expected(history: Sequence[Step]) -> list[bool]:
    """The same without a database."""
    at = dict.fromkeys(range(_PAYMENTS), (1, 9))
    over: set[int] = set()
    answers = []
    for step in history:
        for number, seq, to in step.failovers:
            opens = number not in over and at[number][0] == seq
            stands = number not in over and at[number] == (seq + 1, to)
            answers.append(opens or stands)
            at[number] = (seq + 1, to) if opens else at[number]
        over |= {number for number, seq in step.captured if at[number][0] == seq} | set(step.cancelled)
    return answers


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(steps, min_size=2, max_size=6))
async def test_a_batch_does_what_its_rows_do_one_at_a_time(pool: asyncpg.Pool, history: list[Step]) -> None:
    example = next(_EXAMPLES)
    together, alone = World(pool, f"{example}b", one_by_one=False), World(pool, f"{example}s", one_by_one=True)
    answers = await alone.run(history)
    assert answers == expected(history)
    assert await together.run(history) == answers
    assert await together.content() == await alone.content()
    event(f"applied: {min(answers.count(True), 4)}, left out: {min(answers.count(False), 4)}")
