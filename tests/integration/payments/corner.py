"""A code on the counter of a shop that any wallet can pay, customers who scan it, and channels that behave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from gateway.campaigns import Campaigns
from gateway.composition import Base, Routing
from gateway.database.intents import intent_batch
from gateway.database.outcomes import outcomes
from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.valkey import Valkey
from gateway.kernel.clock import Deadline
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.attempt_store import AttemptStore
from gateway.payments.attempts import Attempts, TakeOver, Visit
from gateway.payments.charging import Charging
from gateway.payments.feedback import NOBODY_LISTENS
from gateway.payments.payment import Payment
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.risk import Risk
from gateway.workers.late import LateWatch
from gateway.workers.recovery import Recovery
from gateway.workers.tasks import Purpose, TaskQueue
from promotions.coupons.campaigns import CouponCampaigns
from routing.accounts.book import AccountBook
from routing.accounts.store import save_account
from routing.channels.base import Wallet
from tests.support.order_channel import OrderChannel, Town
from tests.support.routing import plain_router
from tests.support.rows import MASTER_KEY, intent, settings


@dataclass
class Corner:
    """A code on the counter of a shop, and customers who scan it."""

    base: Base
    attempts: Attempts
    town: Town
    channels: Mapping[str, OrderChannel]

    @property
    def pool(self) -> asyncpg.Pool:
        return self.base.pool

    async def show(self, expires_in_s: int = 300) -> Payment:
        """A new code that any wallet can pay."""
        row = intent(
            new_id("pay"),
            new_id("mer"),
            status="requires_action",
            account_id=None,
            failure_code=None,
            wallet=None,
            method="qrcode",
            qr_code="http://x/q/p",
            expires_in_s=expires_in_s,
            recover_after_s=float(expires_in_s),
        )
        results: list[Any] = await intent_batch(self.pool).flush([row])
        assert results[0].inserted
        return await self.now(row.merchant_id, row.payment_id)

    async def now(self, merchant_id: str, payment_id: str) -> Payment:
        found = await self.base.store.find(merchant_id, payment_id)
        assert found is not None
        return found

    async def scan(self, payment: Payment, wallet: Wallet, payer: str, within_s: float = 2.0) -> TakeOver:
        """A customer with that wallet opens the page and asks to pay."""
        account = self.base.accounts.get(wallet)
        assert account is not None
        visit = Visit(account, wallet, payer, "latte", "http://x/q/p")
        return await self.attempts.take_over(payment, visit, Deadline.after(within_s))

    async def age(self, payment: Payment, seconds: float) -> None:
        """Let so many seconds pass for this payment."""
        for table, column, times in (
            ("payments", "id", ["created_at", "expires_at", "attempt_at", "pay_until"]),
            ("attempts", "payment_id", ["created_at", "send_before", "pay_until"]),
        ):
            changed = ", ".join(f"{time} = {time} - make_interval(secs => $2)" for time in times)
            await self.pool.execute(f"UPDATE {table} SET {changed} WHERE {column} = $1", payment.id, seconds)

    async def events(self, payment: Payment) -> list[str]:
        found = await self.pool.fetch("SELECT type, seq FROM events WHERE payment_id = $1 ORDER BY seq", payment.id)
        assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
        return [record["type"].removeprefix("payment.") for record in found]

    async def work(self, payment: Payment) -> None:
        """One step of a worker for each of the payment's tasks."""
        await self.pool.execute(
            "UPDATE recovery_tasks SET next_at = now(), lease_until = NULL WHERE (payment_id, purpose) IN"
            " (SELECT payment_id, purpose FROM recovery_tasks WHERE payment_id = $1 ORDER BY purpose FOR UPDATE)",
            payment.id,
        )
        queue = TaskQueue(self.pool, 30.0)
        late = LateWatch(self.base, queue)
        handlers = {
            Purpose.RESOLVE: Recovery(self.base, queue).handle,
            Purpose.WATCH: late.watch,
            Purpose.GIVE_BACK: late.give_back,
        }
        for task in await queue.lease(100):
            await handlers[task.purpose](task)


@asynccontextmanager
async def open_corner(database_url: str, more_wechat: Sequence[str] = ()) -> AsyncIterator[Corner]:
    """Everything but the gateway processes; nobody is protected from the next customer.

    `more_wechat`: further accounts that take WeChat's payments, asked after its first one in this order.
    """
    chosen, vault, town = settings(database_url, page_protected_s=0.0), Vault(MASTER_KEY), Town()
    wallets: dict[str, Wallet] = {wallet: wallet for wallet in Wallet} | dict.fromkeys(more_wechat, Wallet.WECHAT)
    channels = {name: OrderChannel(town, closes=wallet is not Wallet.UNIONPAY) for name, wallet in wallets.items()}
    pool = await open_pool(chosen)
    for priority, (name, wallet) in enumerate(wallets.items()):
        await save_account(pool, vault, name, channel="fake", wallets=[wallet], settings={}, priority=priority)
    accounts = AccountBook(pool, vault, lambda account_id, *_: channels[account_id])  # type: ignore[arg-type,return-value]
    await accounts.reload()
    store, valkey = PaymentStore(pool, vault), Valkey(chosen)
    charging = Charging(store, outcomes(pool, chosen), vault, chosen.channel_timeout_s)
    campaigns = Campaigns.of(chosen, pool, pool, valkey, vault)
    risk = Risk.of(chosen, (pool, pool), valkey, vault, campaigns)
    routed = (Routing.of(pool, accounts), NOBODY_LISTENS, campaigns, CouponCampaigns(pool, campaigns.clock), risk)
    directory, revision, refunds = Directory(pool, vault), RevisionWatch(pool, []), RefundDesk(pool, accounts)
    base = Base(chosen, pool, pool, valkey, vault, directory, accounts, store, charging, revision, refunds, *routed)
    attempts = Attempts(
        settings=chosen,
        vault=vault,
        store=store,
        attempts=AttemptStore(pool, vault),
        accounts=accounts,
        router=plain_router(accounts),
        charging=charging,
    )
    yield Corner(base, attempts, town, channels)
    await valkey.aclose()
    await pool.close()
