"""A worker's composition on a real database, with two channel accounts that the test scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from gateway.campaigns import Campaigns
from gateway.composition import Base, Routing
from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch, outcomes
from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.shown import ShownRow, shown_batch
from gateway.database.valkey import Valkey
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.attempt_store import AttemptStore, NewAttempt
from gateway.payments.charging import Charging
from gateway.payments.feedback import NOBODY_LISTENS
from gateway.payments.payment import Payment
from gateway.payments.states import Event
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.risk import Risk
from gateway.workers.late import LateWatch
from gateway.workers.recovery import Recovery
from gateway.workers.tasks import Purpose, Task, TaskQueue
from promotions.coupons.campaigns import CouponCampaigns
from routing.accounts.book import AccountBook, save_account
from routing.channels.base import Wallet
from routing.channels.reports import TradeReport
from tests.support.fake_channel import FakeChannel
from tests.support.rows import MASTER_KEY, intent, outcome, settings

ACCOUNT_ID = "wechat_direct"
OTHER_ACCOUNT_ID = "alipay_direct"
WALLETS = {ACCOUNT_ID: Wallet.WECHAT, OTHER_ACCOUNT_ID: Wallet.ALIPAY}


@dataclass
class House:
    """What the tests do with payments: make them, let time pass, take the worker's steps, look."""

    base: Base
    queue: TaskQueue
    channel: FakeChannel
    """Of WeChat's account, that of nearly every payment here."""
    other: FakeChannel

    @property
    def attempts(self) -> AttemptStore:
        return AttemptStore(self.pool, self.base.vault)

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

    async def show(self, **changes: Any) -> IntentRow:
        """A code of WeChat's on display."""
        row = await self.begin(**({"method": "qrcode", "expires_in_s": 300} | changes))
        assert await self.shows(row)
        return row

    async def shows(self, row: IntentRow) -> bool:
        """The channel has given the code; whether it is shown."""
        shown: list[Any] = await shown_batch(self.pool).flush(
            [ShownRow(row.payment_id, row.merchant_id, 1, "weixin://x", 5.0, new_id("evt"))]
        )
        return bool(shown[0].applied)

    async def show_to_all(self, **changes: Any) -> IntentRow:
        """A code on display that any wallet can pay."""
        fields = {"status": "requires_action", "account_id": None, "failure_code": None, "wallet": None}
        more = {"method": "qrcode", "qr_code": "http://x/q/p", "expires_in_s": 300, "recover_after_s": 300.0}
        return await self.begin(**(fields | more | {"event_id": new_id("evt")} | changes))

    async def choose(
        self, row: IntentRow, account_id: str = ACCOUNT_ID, *, pay_within_s: float | None = None
    ) -> Payment:
        """Somebody chose the account's wallet for a code that any wallet can pay."""
        new = NewAttempt(WALLETS[account_id], account_id, b"payer", pay_within_s, send_within_s=5.0, look_after_s=5.0)
        opened = await self.attempts.open(await self.payment(row), new)
        assert opened is not None
        return opened

    async def cancel(self, row: IntentRow) -> None:
        """The merchant asks for the reversal."""
        assert await self.base.store.request_reversal(await self.payment(row))

    async def settle(self, payment: Payment, report: TradeReport) -> Payment:
        """Another process, or a notification, brings news of the attempt that `payment` names."""
        account = self.base.accounts.get(payment.account_id or "")
        assert account is not None
        return await self.base.charging.settle(payment, account, report)

    async def attempt_states(self, row: IntentRow) -> list[str]:
        found = await self.pool.fetch("SELECT state FROM attempts WHERE payment_id = $1 ORDER BY seq", row.payment_id)
        return [record["state"] for record in found]

    async def age(self, row: IntentRow, seconds: float) -> None:
        """Let so many seconds pass for one payment."""
        for table, column, times in (
            ("payments", "id", ["created_at", "expires_at", "attempt_at", "pay_until"]),
            ("attempts", "payment_id", ["created_at", "send_before", "pay_until"]),
            ("recovery_tasks", "payment_id", ["next_at", "lease_until", "asked_at"]),
        ):
            changed = ", ".join(f"{time} = {time} - make_interval(secs => $2)" for time in times)
            await self.pool.execute(f"UPDATE {table} SET {changed} WHERE {column} = $1", row.payment_id, seconds)

    async def lease(self, row: IntentRow, purpose: Purpose | None = None) -> Task:
        """Lease the payment's task (its only one, unless the purpose is named), whenever it falls due."""
        await self.pool.execute(
            "UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1 AND purpose = coalesce($2, purpose)",
            row.payment_id,
            purpose,
        )
        found = [
            task
            for task in await self.queue.lease(1_000)
            if task.payment_id == row.payment_id and purpose in {None, task.purpose}
        ]
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

    async def step(self, row: IntentRow, purpose: Purpose | None = None) -> Payment:
        """The worker's next step for one payment; the payment as it stands afterwards."""
        await self.handle(await self.lease(row, purpose))
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

    async def due_in_s(self, row: IntentRow, purpose: Purpose | None = None) -> float:
        found: float = await self.pool.fetchval(
            "SELECT extract(epoch FROM next_at - now())::float8 FROM recovery_tasks"
            " WHERE payment_id = $1 AND purpose = coalesce($2, purpose)",
            row.payment_id,
            purpose,
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
async def opened(database_url: str) -> AsyncIterator[tuple[Base, dict[str, FakeChannel]]]:
    """The composition; its channels forget between the tests."""
    chosen, vault = settings(database_url), Vault(MASTER_KEY)
    channels = {account_id: FakeChannel() for account_id in WALLETS}
    pool = await open_pool(chosen)
    for account_id, wallet in WALLETS.items():
        await save_account(pool, vault, account_id, channel="fake", wallets=[wallet], settings={})
    accounts = AccountBook(pool, vault, lambda account_id, *_: channels[account_id])
    await accounts.reload()
    store, valkey = PaymentStore(pool, vault), Valkey(chosen)
    charging = Charging(store, outcomes(pool, chosen), vault, chosen.channel_timeout_s)
    campaigns = Campaigns.of(chosen, pool, pool, valkey, vault)
    risk = Risk.of(chosen, (pool, pool), valkey, vault, campaigns)
    routed = (Routing.of(pool, accounts), NOBODY_LISTENS, campaigns, CouponCampaigns(pool, campaigns.clock), risk)
    directory, revision, refunds = Directory(pool, vault), RevisionWatch(pool, []), RefundDesk(pool, accounts)
    base = Base(chosen, pool, pool, valkey, vault, directory, accounts, store, charging, revision, refunds, *routed)
    yield base, channels
    await valkey.aclose()
    await pool.close()


@pytest.fixture
def house(opened: tuple[Base, dict[str, FakeChannel]]) -> House:
    """The house with channels that have forgotten what the last test scripted."""
    base, channels = opened
    for channel in channels.values():
        vars(channel).update(vars(FakeChannel()))
    return House(base, TaskQueue(base.pool, 30.0), channels[ACCOUNT_ID], channels[OTHER_ACCOUNT_ID])
