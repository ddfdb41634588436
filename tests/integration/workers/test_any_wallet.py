"""Codes that any wallet can pay: orders come and go while they are on display, and money for each of them is found."""

from __future__ import annotations

import pytest

from gateway.payments.numbers import attempt_order_no, give_back_no
from gateway.payments.states import Status
from gateway.workers.tasks import Purpose
from routing.channels.base import ChannelOrder, RefundOrder
from routing.channels.reports import CloseState, RefundReport, RefundState, TradeReport, TradeState
from tests.integration.workers.conftest import ACCOUNT_ID, OTHER_ACCOUNT_ID, House
from tests.support.fake_channel import NOT_FOUND, PENDING, SILENT, captured, refused, shut

SHUT = shut(CloseState.CLOSED)
TRADE_SHUT = TradeReport(TradeState.CLOSED)
RETURNED = RefundReport(RefundState.SUCCEEDED)
RESOLVE, WATCH = Purpose.RESOLVE, Purpose.WATCH


async def test_a_code_that_nobody_scanned_is_closed_at_its_expiry_without_asking_anybody(house: House) -> None:
    row = await house.show_to_all()
    assert 299 < await house.due_in_s(row) <= 300
    await house.step(row)
    assert 299 < await house.due_in_s(row) <= 300, "looked at too early"
    await house.age(row, 301)
    assert (await house.step(row)).status is Status.CLOSED
    assert house.channel.asked == house.other.asked == []
    assert await house.events(row) == ["code_shown", "closed"]


async def test_a_cancelled_code_that_nobody_scanned_is_closed_at_once(house: House) -> None:
    row = await house.show_to_all()
    await house.cancel(row)
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.CLOSED, "succeeded")
    await house.step(row)
    assert await house.tasks(row) == [], "there is nothing to watch"


async def test_the_chosen_wallets_order_pays_the_code(house: House) -> None:
    row = await house.show_to_all()
    await house.choose(row, OTHER_ACCOUNT_ID)
    assert 4 < await house.due_in_s(row) <= 5
    house.other.queries = [captured()]
    payment = await house.step(row)
    assert (payment.status, payment.wallet, payment.account_id) == (Status.SUCCEEDED, "alipay", OTHER_ACCOUNT_ID)
    assert await house.events(row) == ["code_shown", "attempt_opened", "captured"]


async def test_an_order_that_is_over_makes_room_while_the_code_stays(house: House) -> None:
    row = await house.show_to_all()
    await house.choose(row, pay_within_s=120.0)
    house.channel.queries, house.channel.closings = [NOT_FOUND], [shut(CloseState.UNSUPPORTED)]
    await house.age(row, 130)
    assert (await house.step(row)).has_open_attempt
    await house.age(row, 21)
    payment = await house.step(row)
    assert (payment.status, payment.has_open_attempt) == (Status.REQUIRES_ACTION, False)
    assert await house.tasks(row) == ["resolve", "watch"]
    assert 140 < await house.due_in_s(row, RESOLVE) < 150, "the code's expiry"
    opened = await house.choose(row, OTHER_ACCOUNT_ID)
    assert opened.attempt_seq == 2


async def test_a_code_and_its_open_order_end_together_at_the_expiry(house: House) -> None:
    row = await house.show_to_all()
    await house.choose(row)
    await house.age(row, 301)
    house.channel.queries, house.channel.closings = [PENDING], [SHUT]
    assert (await house.step(row)).status is Status.CLOSED
    assert await house.attempt_states(row) == ["closed"]
    assert await house.events(row) == ["code_shown", "attempt_opened", "closed"]


async def test_a_wallet_chosen_in_the_last_moment_keeps_the_code_open_until_its_order_is_shut(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has read that no order is open, and commits the end a moment too late."""
    row = await house.show_to_all()
    task = await house.lease(row)
    stale = await house.payment(row)
    await house.choose(row)
    await house.pool.execute("UPDATE payments SET expires_at = now() WHERE id = $1", row.payment_id)

    async def as_it_was(*_: object) -> object:
        return stale.with_(expires_at=task.now)

    with monkeypatch.context() as patch:
        patch.setattr(house.base.store, "find", as_it_was)
        await house.handle(task)
    payment = await house.payment(row)
    assert (payment.status, payment.has_open_attempt) == (Status.REQUIRES_ACTION, True)
    assert await house.tasks(row) == ["resolve"]


async def test_money_for_an_earlier_attempt_goes_back_through_its_own_account_and_number(house: House) -> None:
    row = await house.show_to_all()
    first = await house.choose(row)
    assert await house.attempts.close(first)
    second = await house.choose(row, OTHER_ACCOUNT_ID)
    assert (await house.settle(second, captured())).status is Status.SUCCEEDED

    assert (await house.settle(first, captured(trade_no="4200009"))).status is Status.SUCCEEDED
    house.channel.queries, house.channel.refunds = [captured(trade_no="4200009")], [RETURNED]
    await house.step(row, WATCH)
    assert house.other.asked == [], "the payment's own money is not looked for"
    payment = await house.step(row)
    [late] = payment.late_captures
    assert (payment.status, late.status, late.account_id) == (Status.SUCCEEDED, "refunded", ACCOUNT_ID)
    _, refund = house.channel.calls[-1]
    assert isinstance(refund, RefundOrder)
    assert refund.refund_no == give_back_no(row.payment_id, 1)
    assert (refund.order.order_no, refund.order.created_at, refund.order.channel_trade_no) == (
        attempt_order_no(row.payment_id, 1),
        first.attempt_at,
        "4200009",
    )
    assert await house.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}
    assert await house.tasks(row) == []


async def test_every_attempt_is_found_by_asking_though_nobody_ever_tells(house: House) -> None:
    row = await house.show_to_all()
    assert await house.attempts.close(await house.choose(row))
    assert await house.attempts.close(await house.choose(row, OTHER_ACCOUNT_ID))
    third = await house.choose(row)
    assert (await house.settle(third, captured())).status is Status.SUCCEEDED
    house.channel.queries, house.other.queries = [captured()], [captured()]
    house.channel.refunds = house.other.refunds = [RETURNED]
    await house.step(row, WATCH)
    await house.step(row)
    payment = await house.step(row)
    assert [(late.account_id, late.status) for late in payment.late_captures] == [
        (ACCOUNT_ID, "refunded"),
        (OTHER_ACCOUNT_ID, "refunded"),
    ]
    assert await house.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}
    assert await house.tasks(row) == []
    assert [order.order_no for name, order in house.channel.calls if isinstance(order, ChannelOrder)] == [
        attempt_order_no(row.payment_id, 1)
    ]


async def test_money_for_the_last_order_of_a_code_that_is_still_on_display_pays_it(house: House) -> None:
    """Nobody else has an order open: there is nothing to give back."""
    row = await house.show_to_all()
    assert await house.attempts.close(await house.choose(row))
    house.channel.queries = [captured()]
    payment = await house.step(row, WATCH)
    assert (payment.status, payment.late_captures) == (Status.SUCCEEDED, ())


async def test_news_of_an_earlier_attempt_that_was_shut_changes_nothing(house: House) -> None:
    row = await house.show_to_all()
    first = await house.choose(row)
    assert await house.attempts.close(first)
    second = await house.choose(row, OTHER_ACCOUNT_ID)
    for report in (TRADE_SHUT, refused(), TradeReport(TradeState.REFUNDED), captured(1)):
        await house.settle(first, report)
        payment = await house.payment(row)
        assert (payment.status, payment.review, payment.attempt_seq) == (Status.REQUIRES_ACTION, None, 2)
    assert (await house.settle(second, captured())).status is Status.SUCCEEDED
    await house.settle(first, TRADE_SHUT)
    assert (await house.payment(row)).status is Status.SUCCEEDED


async def test_an_order_of_an_earlier_attempt_that_can_be_paid_again_is_shut(house: House) -> None:
    row = await house.show_to_all()
    assert await house.attempts.close(await house.choose(row))
    house.channel.queries, house.channel.closings = [PENDING], [SHUT]
    await house.step(row, WATCH)
    assert house.channel.asked == ["query", "close"]


async def test_every_order_that_is_shut_is_looked_for_soon_though_earlier_ones_are_watched_at_leisure(
    house: House,
) -> None:
    row = await house.show_to_all(expires_in_s=7_200)
    assert await house.attempts.close(await house.choose(row))
    house.channel.queries = [NOT_FOUND]
    for _ in range(7):
        await house.step(row, WATCH)
    assert await house.due_in_s(row, WATCH) > 3_500
    assert await house.attempts.close(await house.choose(row, OTHER_ACCOUNT_ID))
    assert await house.due_in_s(row, WATCH) <= 60


async def test_a_code_that_ends_is_looked_for_soon_though_earlier_orders_are_watched_at_leisure(house: House) -> None:
    row = await house.show_to_all(expires_in_s=7_200)
    assert await house.attempts.close(await house.choose(row))
    house.channel.queries = [NOT_FOUND]
    for _ in range(7):
        await house.step(row, WATCH)
    await house.choose(row, OTHER_ACCOUNT_ID)
    await house.age(row, 7_201)
    await house.pool.execute(
        "UPDATE recovery_tasks SET next_at = now() + interval '1 hour' WHERE payment_id = $1 AND purpose = 'watch'",
        row.payment_id,
    )
    house.other.queries, house.other.closings = [PENDING], [SHUT]
    assert (await house.step(row, RESOLVE)).status is Status.CLOSED
    assert await house.due_in_s(row, WATCH) <= 60


async def test_a_watch_that_is_under_way_while_the_code_ends_goes_on(house: House) -> None:
    """The money of the last order came late, while the merchant cancels: nobody may forget it."""
    row = await house.show_to_all()
    assert await house.attempts.close(await house.choose(row))
    watching = await house.lease(row, WATCH)  # it looks while the cancellation is pending, and so books nothing
    await house.cancel(row)
    house.channel.queries = [captured()]
    assert (await house.step(row, RESOLVE)).status is Status.CLOSED
    await house.queue.finish(watching)
    assert await house.tasks(row) == ["watch"]
    house.channel.refunds = [RETURNED]
    await house.step(row, WATCH)
    assert (await house.step(row)).late_captures[0].status == "refunded"


async def test_money_that_is_found_while_the_task_of_earlier_money_is_just_finished_goes_back_too(house: House) -> None:
    row = await house.show_to_all()
    assert await house.attempts.close(await house.choose(row))
    assert await house.attempts.close(await house.choose(row, OTHER_ACCOUNT_ID))
    assert (await house.settle(await house.choose(row), captured())).status is Status.SUCCEEDED
    house.channel.queries, house.other.queries = [captured()], [NOT_FOUND, captured()]
    await house.step(row, WATCH)
    done = await house.lease(row, Purpose.GIVE_BACK)
    await house.pool.execute("UPDATE late_captures SET status = 'refunded' WHERE payment_id = $1", row.payment_id)
    await house.step(row, WATCH)
    await house.queue.finish(done)
    assert "give_back" in await house.tasks(row)


async def test_an_order_opened_in_the_last_moment_ends_when_its_channel_takes_no_more_money(house: House) -> None:
    """WeChat and Alipay give every order a minute."""
    row = await house.show_to_all(expires_in_s=60)
    await house.age(row, 50)
    await house.choose(row)
    await house.age(row, 10 + 31)
    house.channel.queries, house.channel.closings = [PENDING], [SILENT]
    assert (await house.step(row)).status is Status.REQUIRES_ACTION
    await house.age(row, 61)
    assert (await house.step(row)).status is Status.CLOSED
