"""A code that any wallet can pay: whoever scans it can pay, and never are two wallets' orders open at once."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from gateway.kernel.failures import FailureCode
from gateway.payments.attempts import OtherWalletOpen, Over, Paid, Ready, Refused, TakeOver
from gateway.payments.numbers import attempt_order_no
from gateway.payments.states import Status
from routing.channels.base import ChannelRejected, ChannelUnknown, ChannelUnsent, Wallet
from tests.integration.payments.corner import Corner
from tests.support.order_channel import Stage

SILENT = ChannelUnknown("timeout")
REFUSES = ChannelRejected("PARAM_ERROR", FailureCode.CHANNEL_REFUSED)


def protected(corner: Corner, seconds: float) -> None:
    """Let whoever chose a wallet be safe from others for so long."""
    corner.attempts._settings = corner.base.settings.model_copy(update={"page_protected_s": seconds})


def page_of(result: TakeOver) -> tuple[str, str]:
    """The order number and the payer of a page that can be paid."""
    assert isinstance(result, Ready), result
    return result.page.bridge["package"], result.page.bridge["payer"]


async def test_the_first_who_scans_can_pay(corner: Corner) -> None:
    payment = await corner.show()
    result = await corner.scan(payment, Wallet.WECHAT, "alice")
    assert page_of(result) == (attempt_order_no(payment.id, 1), "alice")
    assert isinstance(result, Ready)
    assert (result.payment.wallet, result.payment.account_id) == ("wechat", "wechat")
    assert result.payment.pay_until == payment.expires_at
    assert await corner.events(payment) == ["code_shown", "attempt_opened"]


async def test_the_same_payer_has_the_same_page_again(corner: Corner) -> None:
    payment = await corner.show()
    protected(corner, 60)
    first = await corner.scan(payment, Wallet.WECHAT, "alice")
    again = await corner.scan(payment, Wallet.WECHAT, "alice")
    assert isinstance(first, Ready)
    assert isinstance(again, Ready)
    assert again.page == first.page
    assert corner.channels[Wallet.WECHAT].calls == ["page"]


async def test_pages_are_stored_sealed_and_payers_as_a_hash(corner: Corner) -> None:
    payment = await corner.show()
    await corner.scan(payment, Wallet.WECHAT, "alice-the-payer")
    row = await corner.pool.fetchrow("SELECT page_sealed, payer_hash FROM attempts WHERE payment_id = $1", payment.id)
    assert row is not None
    assert b"alice" not in row["page_sealed"]
    assert row["payer_hash"] == corner.base.vault.keyed_hash(b"alice-the-payer")


async def test_another_wallet_gets_the_code_once_the_first_ones_order_is_shut(corner: Corner) -> None:
    payment = await corner.show()
    await corner.scan(payment, Wallet.WECHAT, "alice")
    result = await corner.scan(payment, Wallet.ALIPAY, "bob")
    assert page_of(result) == (attempt_order_no(payment.id, 2), "bob")
    assert corner.town.orders == {
        attempt_order_no(payment.id, 1): Stage.SHUT,
        attempt_order_no(payment.id, 2): Stage.OPEN,
    }
    assert await corner.events(payment) == ["code_shown", "attempt_opened", "attempt_closed", "attempt_opened"]


async def test_another_payer_of_the_same_wallet_gets_an_order_of_his_own(corner: Corner) -> None:
    payment = await corner.show()
    await corner.scan(payment, Wallet.WECHAT, "alice")
    assert page_of(await corner.scan(payment, Wallet.WECHAT, "bob")) == (attempt_order_no(payment.id, 2), "bob")


async def test_whoever_has_just_chosen_is_not_pushed_out_by_another_payer(corner: Corner) -> None:
    payment = await corner.show()
    protected(corner, 60)
    await corner.scan(payment, Wallet.WECHAT, "alice")
    result = await corner.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(result, OtherWalletOpen)
    assert 58 <= result.retry_after_s <= 60
    assert corner.channels[Wallet.WECHAT].calls == ["page"], "the channel is not bothered"
    await corner.age(payment, 61)
    page_of(await corner.scan(payment, Wallet.ALIPAY, "bob"))


async def test_whoever_comes_after_the_payment_is_told_that_it_is_paid(corner: Corner) -> None:
    payment = await corner.show()
    order_no, _ = page_of(await corner.scan(payment, Wallet.WECHAT, "alice"))
    assert corner.town.pay(order_no)
    result = await corner.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(result, Paid)
    assert (result.payment.status, result.payment.wallet) == (Status.SUCCEEDED, "wechat")
    assert isinstance(await corner.scan(payment, Wallet.UNIONPAY, "carol"), Paid)
    assert len(corner.town.orders) == 1


async def test_a_payment_that_comes_while_its_order_is_being_shut_is_kept(
    corner: Corner, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await corner.show()
    order_no, _ = page_of(await corner.scan(payment, Wallet.WECHAT, "alice"))
    close = corner.channels[Wallet.WECHAT].close

    async def paid_just_now(*arguments: Any) -> Any:
        corner.town.pay(order_no)
        return await close(*arguments)

    monkeypatch.setattr(corner.channels[Wallet.WECHAT], "close", paid_just_now)
    result = await corner.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(result, Paid)
    assert len(corner.town.orders) == 1


async def test_a_wallet_that_has_no_call_to_shut_an_order_is_waited_for_a_short_time_only(corner: Corner) -> None:
    payment = await corner.show()
    result = await corner.scan(payment, Wallet.UNIONPAY, "alice")
    assert isinstance(result, Ready)
    assert result.payment.pay_until == (result.payment.attempt_at or payment.created_at) + timedelta(seconds=120)
    waiting = await corner.scan(payment, Wallet.WECHAT, "bob")
    assert isinstance(waiting, OtherWalletOpen)
    assert 148 <= waiting.retry_after_s <= 150, "its time limit and the margin"
    await corner.age(payment, 149)
    assert isinstance(await corner.scan(payment, Wallet.WECHAT, "bob"), OtherWalletOpen)
    await corner.age(payment, 2)
    corner.town.orders[attempt_order_no(payment.id, 1)] = Stage.SHUT  # by its channel, in time
    page_of(await corner.scan(payment, Wallet.WECHAT, "bob"))


@pytest.mark.parametrize("end", ["expired", "cancelled", "closed", "under review"])
async def test_a_code_that_is_over_opens_no_order(corner: Corner, end: str) -> None:
    payment = await corner.show()
    if end == "expired":
        await corner.age(payment, 296)
    elif end == "under review":
        await corner.pool.execute("UPDATE payments SET review = 'x' WHERE id = $1", payment.id)
    else:
        assert await corner.base.store.request_reversal(payment)
    if end == "closed":
        await corner.work(payment)
    assert isinstance(await corner.scan(payment, Wallet.WECHAT, "alice"), Over)
    assert corner.town.orders == {}


async def test_nobody_is_let_in_beside_an_open_order_once_the_code_has_expired(corner: Corner) -> None:
    payment = await corner.show()
    await corner.scan(payment, Wallet.WECHAT, "alice")
    await corner.age(payment, 301)
    assert isinstance(await corner.scan(payment, Wallet.ALIPAY, "bob"), Over)
    assert isinstance(await corner.scan(payment, Wallet.WECHAT, "alice"), Over)


async def test_a_refusal_of_the_channel_leaves_the_code_to_others(corner: Corner) -> None:
    payment = await corner.show()
    corner.channels[Wallet.WECHAT].losing = [REFUSES]
    assert await corner.scan(payment, Wallet.WECHAT, "alice") == Refused(FailureCode.CHANNEL_REFUSED, "PARAM_ERROR")
    assert page_of(await corner.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 2), "alice")
    assert await corner.events(payment) == ["code_shown", "attempt_opened", "attempt_closed", "attempt_opened"]


async def test_a_channel_that_was_not_reached_leaves_the_code_to_others(corner: Corner) -> None:
    payment = await corner.show()
    corner.channels[Wallet.WECHAT].losing = [ChannelUnsent("no_connection")]
    result = await corner.scan(payment, Wallet.WECHAT, "alice")
    assert result == Refused(FailureCode.CHANNEL_UNAVAILABLE, "no_connection")
    page_of(await corner.scan(payment, Wallet.ALIPAY, "bob"))


async def test_a_page_whose_answer_is_lost_is_asked_for_once_more_under_the_same_number(corner: Corner) -> None:
    payment = await corner.show()
    corner.channels[Wallet.WECHAT].losing = [SILENT]
    assert page_of(await corner.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 1), "alice")


async def test_after_a_lost_answer_a_refusal_is_not_believed_and_the_order_stays_open_to_its_payer(
    corner: Corner,
) -> None:
    payment = await corner.show()
    corner.channels[Wallet.WECHAT].losing = [SILENT, REFUSES]
    assert await corner.scan(payment, Wallet.WECHAT, "alice") == Refused(FailureCode.CHANNEL_UNAVAILABLE, "timeout")
    await corner.age(payment, 11)
    assert page_of(await corner.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 1), "alice")


async def test_an_order_whose_page_the_channel_will_not_give_any_more_is_shut_for_a_new_one(corner: Corner) -> None:
    payment = await corner.show()
    corner.channels[Wallet.WECHAT].losing = [SILENT, SILENT]
    await corner.scan(payment, Wallet.WECHAT, "alice")
    await corner.age(payment, 11)
    corner.channels[Wallet.WECHAT].losing = [REFUSES]
    assert page_of(await corner.scan(payment, Wallet.WECHAT, "alice")) == (attempt_order_no(payment.id, 2), "alice")
    assert corner.town.orders[attempt_order_no(payment.id, 1)] is Stage.SHUT


async def test_an_order_that_never_reached_its_channel_makes_room_when_that_is_sure(corner: Corner) -> None:
    """The process died between the durable attempt and its channel."""
    payment = await corner.show()
    await corner.scan(payment, Wallet.WECHAT, "alice")
    await corner.pool.execute("UPDATE attempts SET page_sealed = NULL WHERE payment_id = $1", payment.id)
    corner.town.orders.clear()
    waiting = await corner.scan(payment, Wallet.ALIPAY, "bob")
    assert isinstance(waiting, OtherWalletOpen)
    assert 115 <= waiting.retry_after_s <= 125
    await corner.age(payment, 126)
    page_of(await corner.scan(payment, Wallet.ALIPAY, "bob"))


async def test_two_taps_of_the_same_payer_open_one_order(corner: Corner) -> None:
    payment = await corner.show()
    corner.town.latency_s = 0.05
    results = await asyncio.gather(*[corner.scan(payment, Wallet.WECHAT, "alice") for _ in range(6)])
    assert {page_of(result) for result in results} == {(attempt_order_no(payment.id, 1), "alice")}
    assert corner.channels[Wallet.WECHAT].calls == ["page"]


async def test_a_page_that_came_too_late_is_not_handed_out(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    """While this process waited for its channel, the order had to make room."""
    payment = await corner.show()
    create = corner.channels[Wallet.WECHAT].create_page_order

    async def slowly(*arguments: Any) -> Any:
        page = await create(*arguments)
        monkeypatch.undo()
        page_of(await corner.scan(payment, Wallet.ALIPAY, "bob"))
        return page

    monkeypatch.setattr(corner.channels[Wallet.WECHAT], "create_page_order", slowly)
    assert isinstance(await corner.scan(payment, Wallet.WECHAT, "alice"), OtherWalletOpen)
    assert corner.town.standing(Stage.OPEN) == [attempt_order_no(payment.id, 2)]


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_scans_at_once_there_is_never_more_than_one_open_order_and_one_payment(
    corner: Corner, seed: int
) -> None:
    """Customers scan, pay and go away, a worker looks, all at random; a run is replayed by its seed."""
    chance = random.Random(seed)
    corner.town.latency_s, corner.town.chance = 0.01, random.Random(seed)
    payment = await corner.show()

    async def customer(number: int) -> None:
        wallet = chance.choice([Wallet.WECHAT, Wallet.ALIPAY])
        for _ in range(6):
            await asyncio.sleep(chance.uniform(0, 0.03))
            result = await corner.scan(payment, wallet, f"payer-{number}")
            if isinstance(result, Ready) and number % 5 == 0 and chance.random() < 0.3:
                corner.town.pay(result.page.bridge["package"])

    async def worker() -> None:
        for _ in range(5):
            await asyncio.sleep(chance.uniform(0, 0.05))
            await corner.work(payment)

    await asyncio.gather(*[customer(number) for number in range(8)], worker())
    assert corner.town.open_at_once_max == 1
    paid = corner.town.standing(Stage.PAID)
    assert len(paid) <= 1
    await corner.work(payment)
    found = await corner.now(payment.merchant_id, payment.id)
    assert found.status is (Status.SUCCEEDED if paid else Status.REQUIRES_ACTION)
    if paid:
        assert paid == [attempt_order_no(payment.id, found.attempt_seq)]
    assert found.late_captures == ()
    await corner.events(payment)
    open_attempts = await corner.pool.fetchval(
        "SELECT count(*) FROM attempts WHERE payment_id = $1 AND state = 'open'", payment.id
    )
    assert open_attempts <= 1


async def test_of_many_who_open_at_the_same_moment_one_is_let_in(corner: Corner) -> None:
    payments = [await corner.show() for _ in range(5)]
    protected(corner, 60)
    for payment in payments:
        results = await asyncio.gather(
            *[corner.scan(payment, wallet, f"{wallet}-{number}") for wallet in Wallet for number in range(4)]
        )
        ready = [result for result in results if isinstance(result, Ready)]
        assert len(ready) == 1
        assert all(isinstance(result, Ready | OtherWalletOpen) for result in results)
    assert len(corner.town.orders) == len(payments)
