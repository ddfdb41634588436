"""The callbacks room on a real database, with channels whose notifications the test makes up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from gateway.callbacks.applying import Applying
from gateway.callbacks.inbox import Inbox
from gateway.callbacks.reception import Reception
from gateway.campaigns import Campaigns
from gateway.composition import Base, Routing
from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch, outcomes
from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.valkey import Valkey
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.charging import Charging
from gateway.payments.feedback import NOBODY_LISTENS
from gateway.payments.numbers import attempt_order_no
from gateway.payments.payment import Payment
from gateway.payments.states import Event
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.risk import Risk
from gateway.workers.callbacks import CallbackSweep
from promotions.coupons.campaigns import CouponCampaigns
from routing.accounts.book import AccountBook, save_account
from routing.channels.base import Wallet
from routing.channels.notifications import Acknowledgement, Acknowledgements, Notification, NotificationRefused
from routing.channels.reports import TradeReport
from tests.support.fake_channel import FakeChannel, captured
from tests.support.rows import MASTER_KEY, intent, outcome, settings

ACCEPTED = Acknowledgement(200, "text/plain", b"success")
REFUSED = Acknowledgement(400, "text/plain", b"fail")
WORKER_AFTER_S = 5.0


@dataclass(eq=False)
class NotifyingChannel(FakeChannel):
    """Knows its own messages by heart; any other one is forged."""

    messages: dict[bytes, Notification] = field(default_factory=dict)
    refusal: str = "signature"

    @property
    def acknowledgements(self) -> Acknowledgements:
        return Acknowledgements(ACCEPTED, REFUSED)

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        if body not in self.messages:
            raise NotificationRefused(self.refusal)
        return self.messages[body]


@dataclass
class Room:
    """What the tests do: make payments, let the channel tell something, let the worker look, look themselves."""

    base: Base
    channels: dict[str, NotifyingChannel]
    inbox: Inbox
    applying: Applying
    reception: Reception

    @property
    def pool(self) -> asyncpg.Pool:
        return self.base.pool

    async def begin(self, event: Event | None = None, **changes: Any) -> IntentRow:
        """A payment whose intent is committed, and perhaps its outcome."""
        row = intent(changes.pop("payment_id", None) or new_id("pay"), new_id("mer"), **changes)
        results: list[Any] = await intent_batch(self.pool).flush([row])
        assert results[0].inserted
        if event is not None:
            settled: list[Any] = await outcome_batch(self.pool).flush([outcome(row, event, channel_trade_no="4200001")])
            assert settled[0].applied
        return row

    def message(self, notification: Notification, account_id: str = "wechat_direct") -> bytes:
        """The bytes of a message that the account's channel has really sent."""
        body = f"message {notification.id} about {notification.order_no}".encode()
        self.channels[account_id].messages[body] = notification
        return body

    async def receive(self, body: bytes, account_id: str = "wechat_direct") -> Acknowledgement:
        """One message comes in."""
        kind = account_id.partition("_")[0]
        return await self.reception.receive(kind, account_id, {"wechatpay-serial": "S1"}, body)

    async def tell(self, notification: Notification, account_id: str = "wechat_direct") -> Acknowledgement:
        """The channel tells something, and what follows from it is done."""
        answer = await self.receive(self.message(notification, account_id), account_id)
        await self.reception.drain()
        return answer

    async def rows(self, payment_id: str) -> list[asyncpg.Record]:
        """What the inbox holds of a payment."""
        return await self.pool.fetch("SELECT * FROM callbacks WHERE payment_id = $1", payment_id)

    async def result(self, payment_id: str) -> str | None:
        """What became of its only callback; None while it is not applied."""
        [row] = await self.rows(payment_id)
        assert (row["result"] is None) == (row["applied_at"] is None)
        found: str | None = row["result"]
        return found

    async def age(self, payment_id: str, seconds: float) -> None:
        """Let so many seconds pass for its callbacks."""
        await self.pool.execute(
            "UPDATE callbacks SET received_at = received_at - $2, next_at = next_at - $2 WHERE payment_id = $1".replace(
                "$2", "make_interval(secs => $2)"
            ),
            payment_id,
            seconds,
        )

    async def sweep(self) -> int:
        """The worker looks once."""
        return await CallbackSweep(self.base).sweep()

    async def payment(self, row: IntentRow) -> Payment:
        found = await self.base.store.find(row.merchant_id, row.payment_id)
        assert found is not None
        return found

    async def events(self, row: IntentRow) -> list[str]:
        found = await self.pool.fetch("SELECT type, seq FROM events WHERE payment_id = $1 ORDER BY seq", row.payment_id)
        assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
        return [record["type"].removeprefix("payment.") for record in found]

    async def tasks(self, row: IntentRow) -> list[str]:
        """The purposes for which the worker is to look at the payment now."""
        found = await self.pool.fetch(
            "SELECT purpose FROM recovery_tasks WHERE payment_id = $1 AND next_at <= now() ORDER BY purpose",
            row.payment_id,
        )
        return [record["purpose"] for record in found]


def told(row: IntentRow, report: TradeReport | None = None, **changes: Any) -> Notification:
    """A notification about the payment's first attempt: it was paid, unless something else is said."""
    fields = {"id": "n1", "order_no": attempt_order_no(row.payment_id, 1), "trade": report or captured()}
    return Notification(**(fields | changes))


@pytest.fixture(scope="module")
async def opened(database_url: str) -> AsyncIterator[tuple[Base, dict[str, NotifyingChannel]]]:
    """The composition with one account at each of two channels."""
    chosen, vault = settings(database_url), Vault(MASTER_KEY)
    channels = {"wechat_direct": NotifyingChannel(), "alipay_direct": NotifyingChannel()}
    pool = await open_pool(chosen)
    for account_id in channels:
        kind = account_id.partition("_")[0]
        await save_account(pool, vault, account_id, channel=kind, wallets=[Wallet(kind)], settings={})
    accounts = AccountBook(pool, vault, lambda account_id, *_: channels[account_id])
    await accounts.reload()
    store, valkey = PaymentStore(pool, vault), Valkey(chosen)
    charging = Charging(store, outcomes(pool, chosen), vault, chosen.channel_timeout_s)
    campaigns = Campaigns.of(chosen, pool, pool, valkey, vault)
    risk = Risk.of(chosen, (pool, pool), valkey, vault, campaigns)
    routed = (Routing.of(pool, accounts), NOBODY_LISTENS, campaigns, CouponCampaigns(pool, campaigns.clock), risk)
    directory, revision = Directory(pool, vault), RevisionWatch(pool, [])
    refunds = RefundDesk(pool, accounts)
    yield (
        Base(chosen, pool, pool, valkey, vault, directory, accounts, store, charging, revision, refunds, *routed),
        channels,
    )
    await valkey.aclose()
    await pool.close()


@pytest.fixture
async def room(opened: tuple[Base, dict[str, NotifyingChannel]]) -> AsyncIterator[Room]:
    """The room with channels that have forgotten what the last test scripted."""
    base, channels = opened
    for channel in channels.values():
        vars(channel).update(vars(NotifyingChannel()))
    inbox = Inbox(base.pool, base.vault)
    applying = Applying(base.accounts, base.store, base.charging, base.refunds, inbox)
    reception = Reception(base.accounts, inbox, applying, worker_after_s=WORKER_AFTER_S)
    yield Room(base, channels, inbox, applying, reception)
    async with asyncio.timeout(10):
        await reception.drain()
    await base.pool.execute("DELETE FROM callbacks")
