"""A worker's composition on a real database, with one channel account that the test scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from gateway.composition import Base
from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch, outcomes
from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.valkey import Valkey
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.charging import Charging
from gateway.payments.payment import Payment
from gateway.payments.states import Event
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.workers.late import LateWatch
from gateway.workers.recovery import Recovery
from gateway.workers.tasks import Purpose, Task, TaskQueue
from routing.accounts import AccountBook, save_account
from routing.channels.base import Wallet
from tests.support.fake_channel import FakeChannel
from tests.support.rows import MASTER_KEY, intent, outcome, settings

ACCOUNT_ID = "wechat_direct"


@dataclass
class House:
    """What the tests do with payments: make them, let time pass, take the worker's steps, look."""

    base: Base
    queue: TaskQueue
    channel: FakeChannel

    @property
    def pool(self) -> asyncpg.Pool:
        return self.base.pool

    async def begin(self, event: Event | None = None, **changes: Any) -> IntentRow:
        """A payment whose intent is committed, and perhaps its outcome."""
        row = intent(new_id("pay"), new_id("mer"), **changes)
        results: list[Any] = await intent_batch(self.pool).flush([row])
        assert results[0].inserted
        if event is not None:
            settled: list[Any] = await outcome_batch(self.pool).flush([outcome(row, event, channel_trade_no="4200001")])
            assert settled[0].applied
        return row

    async def age(self, row: IntentRow, seconds: float) -> None:
        """Let so many seconds pass for one payment."""
        for table, column, others in (
            ("payments", "id", "created_at = created_at - $2, expires_at = expires_at - $2"),
            ("attempts", "payment_id", "created_at = created_at - $2, send_before = send_before - $2"),
            ("recovery_tasks", "payment_id", "next_at = next_at - $2, lease_until = lease_until - $2"),
        ):
            changed = others.replace("$2", "make_interval(secs => $2)")
            await self.pool.execute(f"UPDATE {table} SET {changed} WHERE {column} = $1", row.payment_id, seconds)

    async def lease(self, row: IntentRow) -> Task:
        """Lease the payment's task, whenever it falls due."""
        await self.pool.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", row.payment_id)
        found = [task for task in await self.queue.lease(1_000) if task.payment_id == row.payment_id]
        assert len(found) == 1
        return found[0]

    async def handle(self, task: Task) -> None:
        """Take the step that the task is for."""
        late = LateWatch(self.base, self.queue)
        await {
            Purpose.RESOLVE: Recovery(self.base, self.queue).handle,
            Purpose.WATCH: late.watch,
            Purpose.GIVE_BACK: late.give_back,
        }[task.purpose](task)

    async def step(self, row: IntentRow) -> Payment:
        """The worker's next step for one payment; the payment as it stands afterwards."""
        await self.handle(await self.lease(row))
        return await self.payment(row)

    async def payment(self, row: IntentRow) -> Payment:
        found = await self.base.store.find(row.merchant_id, row.payment_id)
        assert found is not None
        return found

    async def tasks(self, row: IntentRow) -> list[str]:
        """The purposes for which the payment is still to be looked at."""
        found = await self.pool.fetch(
            "SELECT purpose FROM recovery_tasks WHERE payment_id = $1 ORDER BY purpose", row.payment_id
        )
        return [record["purpose"] for record in found]

    async def due_in_s(self, row: IntentRow) -> float:
        found: float = await self.pool.fetchval(
            "SELECT extract(epoch FROM next_at - now())::float8 FROM recovery_tasks WHERE payment_id = $1",
            row.payment_id,
        )
        return found

    async def events(self, row: IntentRow) -> list[str]:
        found = await self.pool.fetch("SELECT type, seq FROM events WHERE payment_id = $1 ORDER BY seq", row.payment_id)
        assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
        return [record["type"].removeprefix("payment.") for record in found]

    async def balances(self, row: IntentRow) -> dict[str, int]:
        """What each account of the books is owed for this payment, but those at zero."""
        found = await self.pool.fetch(
            "SELECT account, sum(amount)::bigint AS owed FROM ("
            " SELECT debit AS account, amount FROM transfers WHERE payment_id = $1"
            " UNION ALL SELECT credit, -amount FROM transfers WHERE payment_id = $1) t GROUP BY account",
            row.payment_id,
        )
        assert sum(record["owed"] for record in found) == 0
        return {record["account"].partition(":")[0]: record["owed"] for record in found if record["owed"]}


@pytest.fixture(scope="module")
async def opened(database_url: str) -> AsyncIterator[tuple[Base, FakeChannel]]:
    """The composition; its one channel is made anew for each test."""
    chosen, vault, channel = settings(database_url), Vault(MASTER_KEY), FakeChannel()
    pool = await open_pool(chosen)
    await save_account(pool, vault, ACCOUNT_ID, channel="fake", wallets=[Wallet.WECHAT], settings={})
    accounts, store, valkey = AccountBook(pool, vault, lambda *_: channel), PaymentStore(pool, vault), Valkey(chosen)
    await accounts.reload()
    charging = Charging(store, outcomes(pool, chosen), vault, chosen.channel_timeout_s)
    directory, revision = Directory(pool, vault), RevisionWatch(pool, [])
    yield Base(chosen, pool, pool, valkey, vault, directory, accounts, store, charging, revision, RefundDesk(pool, accounts)), channel
    await valkey.aclose()
    await pool.close()


@pytest.fixture
def house(opened: tuple[Base, FakeChannel]) -> House:
    """The house with a channel that has forgotten what the last test scripted."""
    base, channel = opened
    vars(channel).update(vars(FakeChannel()))
    return House(base, TaskQueue(base.pool, 30.0), channel)
