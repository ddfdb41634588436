"""From the intent on a till is told of a payment, whatever breaks; and what it was told is not begun is not charged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from gateway.database.intents import intents
from gateway.database.outcomes import OutcomeRow, outcomes
from gateway.database.pool import open_pool
from gateway.database.shown import shown_codes
from gateway.database.valkey import Valkey
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Unavailable
from gateway.kernel.secrets import Vault
from gateway.payments import desk as desks
from gateway.payments.charging import Charging
from gateway.payments.claims import Claims
from gateway.payments.desk import Desk
from gateway.payments.flow import PaymentFlow
from gateway.payments.intent import Plan
from gateway.payments.payment import PaymentOrder
from gateway.payments.replays import Replays
from gateway.payments.schemas import PaymentRequest
from gateway.payments.showing import Showing
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from routing.accounts import AccountBook, save_account
from routing.channels.base import Wallet
from routing.router import Router
from tests.support.fake_channel import FakeChannel, captured
from tests.support.rows import MASTER_KEY, settings
from tests.support.till import new_order


@dataclass
class Counter:
    """A desk with all that stands behind it, and one channel account that the test scripts."""

    desk: Desk
    flow: PaymentFlow
    charging: Charging
    channel: FakeChannel
    pool: asyncpg.Pool
    vault: Vault

    def order(self) -> PaymentOrder:
        return PaymentOrder.of("mer_1", "shop", PaymentRequest(**new_order()), None, self.vault)

    async def payments(self, order: PaymentOrder) -> list[str]:
        """The states of the payments with that number."""
        found = await self.pool.fetch(
            "SELECT status FROM payments WHERE merchant_order_no = $1", order.request.merchant_order_no
        )
        return [record["status"] for record in found]


@pytest.fixture
async def counter(database_url: str, redis_url: str) -> AsyncIterator[Counter]:
    chosen, vault, channel = settings(database_url, redis_url), Vault(MASTER_KEY), FakeChannel()
    pool, valkey = await open_pool(chosen), Valkey(chosen)
    await save_account(pool, vault, "wechat_direct", channel="fake", wallets=[Wallet.WECHAT], settings={})
    accounts, store = AccountBook(pool, vault, lambda *_: channel), PaymentStore(pool, vault)
    await accounts.reload()
    replays, charging = Replays(store, vault), Charging(store, outcomes(pool, chosen), vault, 1.0)
    flow = PaymentFlow(
        settings=chosen,
        vault=vault,
        claims=Claims(valkey, chosen.claim_ttl_s),
        store=store,
        replays=replays,
        router=Router(accounts),
        intents=intents(pool, chosen),
        charging=charging,
        showing=Showing(store, charging, shown_codes(pool, chosen)),
    )
    yield Counter(Desk(flow, replays, 16), flow, charging, channel, pool, vault)
    await valkey.aclose()
    await pool.close()


@pytest.mark.parametrize(
    "error",
    [Unavailable("database_busy", "full"), asyncpg.InterfaceError("the pool is closed"), RuntimeError("a bug")],
    ids=["refused", "broken", "bug"],
)
async def test_a_charge_whose_outcome_cannot_be_committed_is_answered_as_processing_and_not_refused(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A 503 says that nothing is bound: the till would ring the sale up again under another number."""

    async def fail(_row: OutcomeRow) -> Any:
        raise error

    monkeypatch.setattr(counter.charging._outcomes, "submit", fail)
    counter.channel.charges = [captured()]
    order = counter.order()
    answered = await counter.desk.take(order, Deadline.after(5))
    assert answered.payment.status is Status.PROCESSING
    assert counter.channel.asked == ["charge"]
    assert await counter.payments(order) == ["processing"]


async def test_a_channel_that_breaks_its_protocol_leaves_the_payment_processing(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> Any:
        raise KeyError("trade_state")

    monkeypatch.setattr(counter.channel, "charge_barcode", crash)
    order = counter.order()
    assert (await counter.desk.take(order, Deadline.after(5))).payment.status is Status.PROCESSING


async def test_a_payment_of_which_the_till_was_told_that_it_is_not_begun_is_never_begun(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "_BINDING_S", 0.1)
    plan_it = counter.flow._plan
    go_on = asyncio.Event()

    async def plan_slowly(order: PaymentOrder, payment_id: str, deadline: Deadline) -> Plan:
        await go_on.wait()
        return await plan_it(order, payment_id, deadline)

    monkeypatch.setattr(counter.flow, "_plan", plan_slowly)
    counter.channel.charges = [captured()]
    order = counter.order()
    with pytest.raises(Unavailable):
        await counter.desk.take(order, Deadline.after(0.05))
    go_on.set()
    await counter.desk.drain(5)
    assert counter.channel.asked == []
    assert await counter.payments(order) == []

    answered = await counter.desk.take(order, Deadline.after(5))
    assert answered.payment.status is Status.SUCCEEDED, "the number is free: the same request takes the payment"


async def test_a_payment_that_is_bound_only_after_the_till_was_turned_away_is_not_charged(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "_BINDING_S", 0.1)
    submit = counter.flow._intents.submit
    go_on = asyncio.Event()

    async def commit_slowly(row: Any) -> Any:
        await go_on.wait()
        return await submit(row)

    monkeypatch.setattr(counter.flow._intents, "submit", commit_slowly)
    counter.channel.charges = [captured()]
    order = counter.order()
    with pytest.raises(Unavailable):
        await counter.desk.take(order, Deadline.after(0.05))
    go_on.set()
    await counter.desk.drain(5)
    assert counter.channel.asked == []
    assert await counter.payments(order) == ["failed"]
