"""`mashang seed`: what it makes is consistent, a killed run goes on, and it does not come upon real payments."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import asyncpg
import pytest

from gateway.audit.run import AuditOptions, audit
from gateway.commandline.operations import seed as seeding
from gateway.commandline.operations.seed import SeedOrder, seed, unseed
from gateway.database.intents import intent_batch
from gateway.database.pool import open_pool
from gateway.kernel.ids import new_id, ulid_time
from gateway.processes.errors import StackError
from gateway.seeding import filling
from gateway.seeding.marks import is_seeded
from gateway.seeding.plan import BYTES_PER_PAYMENT, Plan, require_space
from tests.support.rows import intent, settings
from tests.support.servers import TestServers

PAYMENTS: Final = 3_000
_BEGINS_AND_IS_SLOW: Final = """
import asyncio, sys
from datetime import UTC, datetime
from gateway.seeding import filling
from gateway.seeding.plan import Plan

async def main():
    connection = await filling.connect(sys.argv[1])
    plan, _ = await filling.begin(connection, Plan(3000, 40, 60, datetime.now(UTC), chunk=100))
    await filling.fill(sys.argv[1], plan, set(), 1, lambda done: print(done, flush=True))

asyncio.run(main())
"""


@pytest.fixture
async def url(migrated_servers: TestServers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A database of the test's own, as the environment names it."""
    made = migrated_servers.clone_database()
    monkeypatch.setenv("MASHANG_DATABASE_URL", made)
    monkeypatch.delenv("MASHANG_ENV", raising=False)
    yield made
    migrated_servers.drop_database(made)


def order(payments: int = PAYMENTS, *, confirmed: bool = False, merchants: int = 40) -> SeedOrder:
    """As the command line gives it."""
    return SeedOrder(payments, merchants, 60, None, 2, confirmed)


async def rows(url: str, statement: str) -> list[dict[str, Any]]:
    """What the database answers."""
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def count(url: str, table: str) -> int:
    """Rows of a table."""
    [row] = await rows(url, f"SELECT count(*)::integer AS count FROM {table}")
    found: int = row["count"]
    return found


async def take_one(url: str) -> None:
    """A payment of somebody else's."""
    connection = await asyncpg.connect(url)
    merchant = new_id("mer")
    await connection.execute("INSERT INTO merchants (id, name, webhook_secret_sealed) VALUES ($1, 'n', '')", merchant)
    await connection.close()
    async with await open_pool(settings(url)) as pool:
        results: list[Any] = await intent_batch(pool).flush([intent(new_id("pay"), merchant, account_id=None)])
        assert results[0].inserted


async def aside(work: Any, *arguments: Any) -> None:
    """A command runs a loop of its own."""
    await asyncio.to_thread(work, *arguments)


async def test_a_seed_is_consistent_in_itself_and_the_audit_says_that_no_channel_knows_it(url: str) -> None:
    await aside(seed, order())
    report = await audit(url, [], AuditOptions())
    assert report.findings.total == 0, report.findings.shown
    assert report.payments == PAYMENTS
    assert report.totals.apart["seeded"].count == PAYMENTS
    assert report.totals.refund_statuses == {"succeeded": 45}
    statuses = report.totals.statuses
    assert statuses["succeeded"] == 0.955 * PAYMENTS
    assert min(statuses[status] for status in ("failed", "closed", "reversed")) > 0


async def test_a_seeded_payment_at_an_account_of_a_channel_is_compared_like_any_other(url: str) -> None:
    await aside(seed, order(200))
    await rows(
        url,
        "UPDATE attempts SET account_id = 'wechat_direct'"
        " WHERE payment_id = (SELECT min(id) FROM payments WHERE status = 'succeeded')",
    )
    assert (await audit(url, [], AuditOptions())).findings.total > 0


async def test_payments_lie_in_their_months_and_belong_to_few_merchants_mostly(url: str) -> None:
    await aside(seed, order())
    stored = await rows(
        url, "SELECT tableoid::regclass::text AS lies_in, id, merchant_id, created_at, wallet FROM payments"
    )
    for row in stored:
        assert row["lies_in"] == f"payments_{row['created_at']:%Y_%m}"
        assert ulid_time(row["id"][4:]) == row["created_at"]
        assert is_seeded(row["merchant_id"])
    assert len({row["lies_in"] for row in stored}) >= 2
    shares = sorted([sum(row["merchant_id"] == m for row in stored) for m in {row["merchant_id"] for row in stored}])
    assert shares[-1] > 10 * shares[0]
    wallets = [sum(row["wallet"] == name for row in stored) / PAYMENTS for name in ("wechat", "alipay", "unionpay")]
    assert wallets == pytest.approx([0.6, 0.3, 0.1], abs=0.04)


async def test_a_killed_run_goes_on_where_it_was(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _BEGINS_AND_IS_SLOW, url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    done = await count(url, "payments")
    assert 0 < done < PAYMENTS
    await aside(seed, order())
    assert [await count(url, table) for table in ("payments", "attempts", "order_numbers")] == [PAYMENTS] * 3
    assert (await audit(url, [], AuditOptions())).findings.total == 0
    with pytest.raises(StackError, match="was seeded with 3,000"):
        await aside(seed, order(PAYMENTS + 1))


async def test_it_refuses_production_and_other_peoples_payments(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await take_one(url)
    with pytest.raises(StackError, match="were not seeded"):
        await aside(seed, order(100))
    monkeypatch.setenv("MASHANG_ENV", "production")
    with pytest.raises(StackError, match="production"):
        await aside(seed, order(100))
    assert await count(url, "payments") == 1
    await aside(seed, order(100, confirmed=True))
    assert await count(url, "payments") == 101


async def test_it_asks_for_its_room_first(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    until_now = Plan(1_000_000, 1, 1, datetime.now(UTC))
    require_space(until_now, 0, 1_000_000 * BYTES_PER_PAYMENT + 5 * 1024**3)
    with pytest.raises(StackError, match=r"there are\s+2\.0 GB"):
        require_space(until_now, 0, 2_000_000_000)
    require_space(until_now, 1_000_000, 5 * 1024**3)
    monkeypatch.setattr(filling, "free_bytes", _nothing_free)
    with pytest.raises(StackError, match="of disk"):
        await aside(seed, order(100))
    assert await rows(url, "SELECT to_regclass('seeding.plan') AS plan") == [{"plan": None}]


async def _nothing_free(_: asyncpg.Connection) -> int:
    return 0


async def test_what_was_seeded_goes_again_and_nothing_else(url: str) -> None:
    await take_one(url)
    before = {table: await count(url, table) for table in filling.TABLES}
    await aside(seed, order(500, confirmed=True))
    assert await count(url, "payments") == 501
    await aside(unseed, None)
    assert {table: await count(url, table) for table in filling.TABLES} == before
    assert await count(url, "merchants") == 1
    with pytest.raises(StackError, match="Nothing was seeded"):
        await aside(unseed, None)


async def test_alone_in_a_database_it_goes_at_once(url: str) -> None:
    await aside(seed, order(500))
    await aside(unseed, None)
    assert {await count(url, table) for table in (*filling.TABLES, "merchants")} == {0}


async def test_numbers_of_payments_that_were_taken_out_are_not_emptied_with_a_seed(url: str) -> None:
    await take_one(url)
    await rows(url, "DELETE FROM payments")
    with pytest.raises(StackError, match="were not seeded"):
        await aside(seed, order(100))
    await aside(seed, order(100, confirmed=True))
    await aside(unseed, None)
    assert await count(url, "order_numbers") == 1


async def test_a_payment_that_is_taken_while_a_seed_goes_is_not_emptied_with_it(url: str) -> None:
    await aside(seed, order(100))
    connection = await asyncpg.connect(url)
    merchant = new_id("mer")
    await connection.execute("INSERT INTO merchants (id, name, webhook_secret_sealed) VALUES ($1, 'n', '')", merchant)
    taking = connection.transaction()
    await taking.start()
    await connection.execute(
        "INSERT INTO order_numbers (merchant_id, merchant_order_no, payment_id) VALUES ($1, 'n', $2)",
        merchant,
        new_id("pay"),
    )
    removing = asyncio.create_task(aside(unseed, None))
    while not await rows(url, "SELECT FROM pg_locks WHERE NOT granted"):
        assert not removing.done()
    await taking.commit()
    await connection.close()
    await removing
    assert [await count(url, table) for table in ("order_numbers", "payments", "merchants")] == [1, 0, 1]


async def test_a_stack_on_a_server_of_its_users_own_is_asked_whose_payments_stand_there(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = SimpleNamespace(database_url=url, processes=SimpleNamespace(postgres=None))
    monkeypatch.setattr(seeding, "read_ready_file", lambda _: ready)
    await take_one(url)
    mine = SeedOrder(100, 4, 60, tmp_path, 2, confirmed=False)
    with pytest.raises(StackError, match="were not seeded"):
        await aside(seed, mine)
    ready.processes.postgres = 4711
    await aside(seed, mine)
    assert await count(url, "payments") == 101
