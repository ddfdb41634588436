"""A code that any wallet can pay: whoever scans it can pay, and never are two wallets' orders open at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from gateway.composition import Base
from gateway.database.intents import intent_batch
from gateway.database.outcomes import outcomes
from gateway.database.pool import open_pool
from gateway.database.revision import RevisionWatch
from gateway.database.valkey import Valkey
from gateway.kernel.clock import Deadline
from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.payments.attempt_store import AttemptStore
from gateway.payments.attempts import Attempts, OtherWalletOpen, Over, Paid, Ready, Refused, TakeOver, Visit
from gateway.payments.charging import Charging
from gateway.payments.numbers import attempt_order_no
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.workers.late import LateWatch
from gateway.workers.recovery import Recovery
from gateway.workers.tasks import Purpose, TaskQueue
from routing.account_store import save_account
from routing.accounts import AccountBook
from routing.channels.base import ChannelRejected, ChannelUnknown, ChannelUnsent, Wallet
from tests.support.order_channel import OrderChannel, Stage, Town
from tests.support.rows import MASTER_KEY, intent, settings

SILENT = ChannelUnknown("timeout")
REFUSES = ChannelRejected("PARAM_ERROR", FailureCode.CHANNEL_REFUSED)


@dataclass
class Counter:
    """A code on the counter of a shop, and customers who scan it."""

    base: Base
    attempts: Attempts
    town: Town
    channels: dict[Wallet, OrderChannel]

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
            "UPDATE recovery_tasks SET next_at = now(), lease_until = NULL WHERE payment_id = $1", payment.id
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


@pytest.fixture
async def counter(database_url: str) -> AsyncIterator[Counter]:
    chosen, vault, town = settings(database_url, page_protected_s=0.0), Vault(MASTER_KEY), Town()
    channels = {wallet: OrderChannel(town, closes=wallet is not Wallet.UNIONPAY) for wallet in Wallet}
    pool = await open_pool(chosen)
    for wallet in Wallet:
        await save_account(pool, vault, wallet, channel="fake", wallets=[wallet], settings={})
    accounts = AccountBook(pool, vault, lambda account_id, *_: channels[Wallet(account_id)])  # type: ignore[arg-type,return-value]
    await accounts.reload()
    store, valkey = PaymentStore(pool, vault), Valkey(chosen)
    charging = Charging(store, outcomes(pool, chosen), vault, chosen.channel_timeout_s)
    directory, revision, refunds = Directory(pool, vault), RevisionWatch(pool, []), RefundDesk(pool, accounts)
    base = Base(chosen, pool, pool, valkey, vault, directory, accounts, store, charging, revision, refunds)
    attempts = Attempts(
        settings=chosen,
        vault=vault,
        store=store,
        attempts=AttemptStore(pool, vault),
        accounts=accounts,
        charging=charging,
    )
    yield Counter(base, attempts, town, channels)
    await valkey.aclose()
    await pool.close()


def protected(counter: Counter, seconds: float) -> None:
    """Let whoever chose a wallet be safe from others for so long."""
    counter.attempts._settings = counter.base.settings.model_copy(update={"page_protected_s": seconds})


def page_of(result: TakeOver) -> tuple[str, str]:
    """The order number and the payer of a page that can be paid."""
    assert isinstance(result, Ready), result
    return result.page.bridge["package"], result.page.bridge["payer"]


async def test_the_first_who_scans_can_pay(counter: Counter) -> None:
    payment = await counter.show()
    result = await counter.scan(payment, Wallet.WECHAT, "alice")
    assert page_of(result) == (attempt_order_no(payment.id, 1), "alice")
    assert isinstance(result, Ready)
    assert (result.payment.wallet, result.payment.account_id) == ("wechat", "wechat")
    assert result.payment.pay_until == payment.expires_at
    assert await counter.events(payment) == ["code_shown", "attempt_opened"]


async def test_the_same_payer_has_the_same_page_again(counter: Counter) -> None:
    payment = await counter.show()
    protected(counter, 60)
    first = await counter.scan(payment, Wallet.WECHAT, "alice")
    again = await counter.scan(payment, Wallet.WECHAT, "alice")
    assert isinstance(first, Ready)
    assert isinstance(again, Ready)
    assert again.page == first.page
    assert counter.channels[Wallet.WECHAT].calls == ["page"]


async def test_pages_are_stored_sealed_and_payers_as_a_hash(counter: Counter) -> None:
    payment = await counter.show()
    await counter.scan(payment, Wallet.WECHAT, "alice-the-payer")
    row = await counter.pool.fetchrow("SELECT page_sealed, payer_hash FROM attempts WHERE payment_id = $1", payment.id)
    assert row is not None
    assert b"alice" not in row["page_sealed"]
    assert row["payer_hash"] == counter.base.vault.keyed_hash(b"alice-the-payer")


async def test_another_wallet_gets_the_code_once_the_first_ones_order_is_shut(counter: Counter) -> None:
    payment = await counter.show()
    await counter.scan(payment, Wallet.WECHAT, "alice")
    result = await counter.scan(payment, Wallet.ALIPAY, "bob")
    assert page_of(result) == (attempt_order_no(payment.id, 2), "bob")
    assert counter.town.orders == {
        attempt_order_no(payment.id, 1): Stage.SHUT,
        attempt_order_no(payment.id, 2): Stage.OPEN,
    }
    assert await counter.events(payment) == ["code_shown", "attempt_opened", "attempt_closed", "attempt_opened"]


async def test_another_payer_of_the_same_wallet_gets_an_order_of_his_own(counter: Counter) -> None:
    payment = await counter.show()
    await counter.scan(payment, Wallet.WECHAT, "alice")
    assert page_of(await counter.scan(payment, Wallet.WECHAT, "bob")) == (attempt_order_no(payment.id, 2), "bob")


async def test_whoever_has_just_chosen_is_not_pushed_out_by_another_payer(counter: Counter) -> None:
    payment = await counter.show()
    protected(counter, 60)
    await counter.scan(payment, Wallet.WECHAT, "alice")
    result = await counter.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(result, OtherWalletOpen)
    assert 58 <= result.retry_after_s <= 60
    assert counter.channels[Wallet.WECHAT].calls == ["page"], "the channel is not bothered"
    await counter.age(payment, 61)
    page_of(await counter.scan(payment, Wallet.ALIPAY, "bob"))


async def test_whoever_comes_after_the_payment_is_told_that_it_is_paid(counter: Counter) -> None:
    payment = await counter.show()
    order_no, _ = page_of(await counter.scan(payment, Wallet.WECHAT, "alice"))
    assert counter.town.pay(order_no)
    result = await counter.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(result, Paid)
    assert (result.payment.status, result.payment.wallet) == (Status.SUCCEEDED, "wechat")
    assert isinstance(await counter.scan(payment, Wallet.UNIONPAY, "carol"), Paid)
    assert len(counter.town.orders) == 1


async def test_a_payment_that_comes_while_its_order_is_being_shut_is_kept(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await counter.show()
    order_no, _ = page_of(await counter.scan(payment, Wallet.WECHAT, "alice"))
    close = counter.channels[Wallet.WECHAT].close

    async def paid_just_now(*arguments: Any) -> Any:
        counter.town.pay(order_no)
        return await close(*arguments)

    monkeypatch.setattr(counter.channels[Wallet.WECHAT], "close", paid_just_now)
    result = await counter.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(result, Paid)
    assert len(counter.town.orders) == 1


async def test_a_wallet_that_has_no_call_to_shut_an_order_is_waited_for_a_short_time_only(counter: Counter) -> None:
    payment = await counter.show()
    result = await counter.scan(payment, Wallet.UNIONPAY, "alice")
    assert isinstance(result, Ready)
    assert result.payment.pay_until == (result.payment.attempt_at or payment.created_at) + timedelta(seconds=120)
    waiting = await counter.scan(payment, Wallet.WECHAT, "bob")
    assert isinstance(waiting, OtherWalletOpen)
    assert 148 <= waiting.retry_after_s <= 150, "its time limit and the margin"
    await counter.age(payment, 149)
    assert isinstance(await counter.scan(payment, Wallet.WECHAT, "bob"), OtherWalletOpen)
    await counter.age(payment, 2)
    counter.town.orders[attempt_order_no(payment.id, 1)] = Stage.SHUT  # by its channel, in time
    page_of(await counter.scan(payment, Wallet.WECHAT, "bob"))


@pytest.mark.parametrize("end", ["expired", "cancelled", "closed", "under review"])
async def test_a_code_that_is_over_opens_no_order(counter: Counter, end: str) -> None:
    payment = await counter.show()
    if end == "expired":
        await counter.age(payment, 296)
    elif end == "under review":
        await counter.pool.execute("UPDATE payments SET review = 'x' WHERE id = $1", payment.id)
    else:
        assert await counter.base.store.request_reversal(payment)
    if end == "closed":
        await counter.work(payment)
    assert isinstance(await counter.scan(payment, Wallet.WECHAT, "alice"), Over)
    assert counter.town.orders == {}


async def test_nobody_is_let_in_beside_an_open_order_once_the_code_has_expired(counter: Counter) -> None:
    payment = await counter.show()
    await counter.scan(payment, Wallet.WECHAT, "alice")
    await counter.age(payment, 301)
    assert isinstance(await counter.scan(payment, Wallet.ALIPAY, "bob"), Over)
    assert isinstance(await counter.scan(payment, Wallet.WECHAT, "alice"), Over)


async def test_a_refusal_of_the_channel_leaves_the_code_to_others(counter: Counter) -> None:
    payment = await counter.show()
    counter.channels[Wallet.WECHAT].losing = [REFUSES]
    assert await counter.scan(payment, Wallet.WECHAT, "alice") == Refused(FailureCode.CHANNEL_REFUSED, "PARAM_ERROR")
    assert page_of(await counter.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 2), "alice")
    assert await counter.events(payment) == ["code_shown", "attempt_opened", "attempt_closed", "attempt_opened"]


async def test_a_channel_that_was_not_reached_leaves_the_code_to_others(counter: Counter) -> None:
    payment = await counter.show()
    counter.channels[Wallet.WECHAT].losing = [ChannelUnsent("no_connection")]
    result = await counter.scan(payment, Wallet.WECHAT, "alice")
    assert result == Refused(FailureCode.CHANNEL_UNAVAILABLE, "no_connection")
    page_of(await counter.scan(payment, Wallet.ALIPAY, "bob"))


async def test_a_page_whose_answer_is_lost_is_asked_for_once_more_under_the_same_number(counter: Counter) -> None:
    payment = await counter.show()
    counter.channels[Wallet.WECHAT].losing = [SILENT]
    assert page_of(await counter.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 1), "alice")


async def test_after_a_lost_answer_a_refusal_is_not_believed_and_the_order_stays_open_to_its_payer(
    counter: Counter,
) -> None:
    payment = await counter.show()
    counter.channels[Wallet.WECHAT].losing = [SILENT, REFUSES]
    assert await counter.scan(payment, Wallet.WECHAT, "alice") == Refused(FailureCode.CHANNEL_UNAVAILABLE, "timeout")
    await counter.age(payment, 11)
    assert page_of(await counter.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 1), "alice")


async def test_an_order_whose_page_the_channel_will_not_give_any_more_is_shut_for_a_new_one(counter: Counter) -> None:
    payment = await counter.show()
    counter.channels[Wallet.WECHAT].losing = [SILENT, SILENT]
    await counter.scan(payment, Wallet.WECHAT, "alice")
    await counter.age(payment, 11)
    counter.channels[Wallet.WECHAT].losing = [REFUSES]
    assert page_of(await counter.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 2), "alice")
    assert counter.town.orders[attempt_order_no(payment.id, 1)] is Stage.SHUT


async def test_an_order_that_never_reached_its_channel_makes_room_when_that_is_sure(counter: Counter) -> None:
    """The process died between the durable attempt and its channel."""
    payment = await counter.show()
    await counter.scan(payment, Wallet.WECHAT, "alice")
    await counter.pool.execute("UPDATE attempts SET page_sealed = NULL WHERE payment_id = $1", payment.id)
    counter.town.orders.clear()
    waiting = await counter.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(waiting, OtherWalletOpen)
    assert 115 <= waiting.retry_after_s <= 125
    await counter.age(payment, 126)
    page_of(await counter.scan(payment, Wallet.ALIPAY, "bob"))


async def test_two_taps_of_the_same_payer_open_one_order(counter: Counter) -> None:
    payment = await counter.show()
    counter.town.latency_s = 0.05
    results = await asyncio.gather(*[counter.scan(payment, Wallet.WECHAT, "alice") for _ in range(6)])
    assert {page_of(result) for result in results} == {(attempt_order_no(payment.id, 1), "alice")}
    assert counter.channels[Wallet.WECHAT].calls == ["page"]


async def test_a_page_that_came_too_late_is_not_handed_out(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """While this process waited for its channel, the order had to make room."""
    payment = await counter.show()
    create = counter.channels[Wallet.WECHAT].create_page_order

    async def slowly(*arguments: Any) -> Any:
        page = await create(*arguments)
        monkeypatch.undo()
        page_of(await counter.scan(payment, Wallet.ALIPAY, "bob"))
        return page

    monkeypatch.setattr(counter.channels[Wallet.WECHAT], "create_page_order", slowly)
    assert isinstance(await counter.scan(payment, Wallet.WECHAT, "alice"), OtherWalletOpen)
    assert counter.town.standing(Stage.OPEN) == [attempt_order_no(payment.id, 2)]


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_scans_at_once_there_is_never_more_than_one_open_order_and_one_payment(
    counter: Counter, seed: int
) -> None:
    """Customers scan, pay and go away, a worker looks, all at random; a run is replayed by its seed."""
    chance = random.Random(seed)
    counter.town.latency_s, counter.town.chance = 0.01, random.Random(seed)
    payment = await counter.show()

    async def customer(number: int) -> None:
        wallet = chance.choice([Wallet.WECHAT, Wallet.ALIPAY])
        for _ in range(6):
            await asyncio.sleep(chance.uniform(0, 0.03))
            result = await counter.scan(payment, wallet, f"payer-{number}")
            if isinstance(result, Ready) and number % 5 == 0 and chance.random() < 0.3:
                counter.town.pay(result.page.bridge["package"])

    async def worker() -> None:
        for _ in range(5):
            await asyncio.sleep(chance.uniform(0, 0.05))
            await counter.work(payment)

    await asyncio.gather(*[customer(number) for number in range(8)], worker())
    assert counter.town.open_at_once_max == 1
    paid = counter.town.standing(Stage.PAID)
    assert len(paid) <= 1
    await counter.work(payment)
    found = await counter.now(payment.merchant_id, payment.id)
    assert found.status is (Status.SUCCEEDED if paid else Status.REQUIRES_ACTION)
    if paid:
        assert paid == [attempt_order_no(payment.id, found.attempt_seq)]
    assert found.late_captures == ()
    await counter.events(payment)
    open_attempts = await counter.pool.fetchval(
        "SELECT count(*) FROM attempts WHERE payment_id = $1 AND state = 'open'", payment.id
    )
    assert open_attempts <= 1


async def test_of_many_who_open_at_the_same_moment_one_is_let_in(counter: Counter) -> None:
    payments = [await counter.show() for _ in range(5)]
    protected(counter, 60)
    for payment in payments:
        results = await asyncio.gather(
            *[counter.scan(payment, wallet, f"{wallet}-{number}") for wallet in Wallet for number in range(4)]
        )
        ready = [result for result in results if isinstance(result, Ready)]
        assert len(ready) == 1
        assert all(isinstance(result, Ready | OtherWalletOpen) for result in results)
    assert len(counter.town.orders) == len(payments)
