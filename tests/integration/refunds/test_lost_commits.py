"""Refunds whose commit nobody hears of, and refunds that are taken while the worker puts the others away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from gateway.database.pool import open_pool
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Unavailable
from gateway.kernel.ids import new_id
from gateway.refunds import commits, desk
from gateway.refunds.desk import RefundDesk
from gateway.refunds.refund import RefundOrder
from gateway.refunds.schemas import RefundRequest
from gateway.refunds.steps import End, Verdict
from tests.integration.refunds.conftest import GIVEN_BACK, Counter
from tests.support.looking import until_row
from tests.support.proxy import Mode, Proxy
from tests.support.rows import settings
from tests.support.servers import TestServers

_WAITING = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def shaky(
    counter: Counter, servers: TestServers, database_url: str, tmp_path: Path
) -> AsyncIterator[tuple[RefundDesk, Proxy]]:
    """A desk that reaches the database through a proxy."""
    folder = re.search(r"host=([^&]+)", database_url)
    assert folder is not None
    name = ".s.PGSQL.5432"
    async with Proxy.before(Path(folder[1]) / name, tmp_path / name) as proxy:
        url = database_url.replace(folder[1], quote(str(tmp_path), safe="/"))
        pool = await open_pool(settings(url, database_command_timeout_s=0.5), size=3)
        yield RefundDesk(pool, counter.base.accounts), proxy
        pool.terminate()


def order_of(payment_id: str, merchant_id: str, number: str = "lost") -> RefundOrder:
    request = RefundRequest(payment_id=payment_id, amount=1_000, merchant_refund_no=number, metadata={})
    return RefundOrder(merchant_id, request, "k")


async def test_a_refund_whose_commit_was_not_heard_of_is_taken_once_and_is_no_replay(
    counter: Counter, shaky: tuple[RefundDesk, Proxy]
) -> None:
    through, proxy = shaky
    row = await counter.paid()
    proxy.lose_answer(b"COMMIT\0")
    answered = await through.take(order_of(row.payment_id, row.merchant_id), Deadline.after(0))
    assert proxy.answers_lost == 1
    assert (answered.replayed, answered.refund.status) == (False, "pending")
    assert await counter.sums(row) == (1_000, 0)
    assert (await counter.events(row))[2:] == ["refund.created"]
    again = await counter.desk.take(order_of(row.payment_id, row.merchant_id), Deadline.after(0))
    assert (again.replayed, again.refund.id) == (True, answered.refund.id)


async def test_an_end_whose_commit_was_not_heard_of_is_booked_once(
    counter: Counter, shaky: tuple[RefundDesk, Proxy]
) -> None:
    through, proxy = shaky
    row = await counter.paid()
    refund = await counter.refund(row, 1_000)
    proxy.lose_answer(b"COMMIT\0")
    with pytest.raises((OSError, asyncpg.PostgresConnectionError, asyncpg.InternalClientError)):
        await through.commit(refund, Verdict(End.SUCCEEDED))
    assert (await through.commit(refund, Verdict(End.SUCCEEDED))).status == "succeeded"
    assert await counter.sums(row) == (1_000, 1_000)
    assert (await counter.events(row))[2:] == ["refund.created", "refund.succeeded"]


async def test_a_silent_database_binds_nothing_within_a_bound(
    counter: Counter, shaky: tuple[RefundDesk, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_SETTLE_S", 1.0)
    through, proxy = shaky
    row = await counter.paid()
    proxy.mode = Mode.FREEZE
    async with asyncio.timeout(8):
        with pytest.raises(Unavailable) as caught:
            await through.take(order_of(row.payment_id, row.merchant_id), Deadline.after(0))
    assert caught.value.code == "database_unavailable"
    proxy.thaw()
    proxy.reset_connections()
    assert (await through.take(order_of(row.payment_id, row.merchant_id), Deadline.after(0))).refund.status == "pending"
    assert await counter.sums(row) == (1_000, 0)


async def test_a_refund_that_is_just_being_taken_keeps_its_task_when_the_worker_finishes_the_others(
    counter: Counter,
) -> None:
    row = await counter.paid()
    await counter.refund(row, 100)
    task = await counter.lease_refunds(row)
    counter.channel.refunds = [GIVEN_BACK]
    await counter.desk.commit((await counter.refunds(row))[0], Verdict(End.SUCCEEDED))
    async with counter.pool.acquire() as connection:
        taking = connection.transaction()
        await taking.start()
        await commits.create(
            connection, order_of(row.payment_id, row.merchant_id), new_id("ref"), counter.base.accounts
        )
        working = asyncio.create_task(counter.work(row, task))
        await until_row(counter.pool, _WAITING)
        await taking.commit()
        await working
    assert await counter.tasks(row) == ["refund"]
    await counter.work(row)
    assert await counter.sums(row) == (1_100, 1_100)
