"""Money for a payment that is over is found, booked, given back once and shown; the payment's status stays."""

from __future__ import annotations

import pytest

from gateway.database.intents import IntentRow
from gateway.kernel.failures import FailureCode
from gateway.payments.numbers import give_back_no
from gateway.payments.states import Event, Status
from routing.channels.base import ChannelRejected, RefundOrder
from routing.channels.reports import RefundReport, RefundState, TradeReport, TradeState
from tests.integration.workers.conftest import ACCOUNT_ID, House
from tests.support.fake_channel import NOT_FOUND, PENDING, SILENT, captured

RETURNED = RefundReport(RefundState.SUCCEEDED)
OPEN = RefundReport(RefundState.PENDING)
NO_SUCH_REFUND = RefundReport(RefundState.NOT_FOUND)


async def never_created(house: House) -> IntentRow:
    row = await house.begin(Event.NOT_CREATED)
    assert await house.tasks(row) == ["watch"]
    return row


async def captured_late(house: House, amount_fen: int = 2_599) -> IntentRow:
    row = await never_created(house)
    house.channel.queries = [captured(amount_fen)]
    await house.step(row)
    return row


@pytest.mark.parametrize("answer", [NOT_FOUND, SILENT, PENDING])
async def test_an_order_never_found_is_looked_at_less_and_less_often(house: House, answer: TradeReport) -> None:
    row = await never_created(house)
    house.channel.queries = [answer]
    pauses = []
    for _ in range(9):
        await house.step(row)
        pauses.append(round(await house.due_in_s(row), -1))
    assert pauses == [30, 60, 120, 300, 600, 1_800, 3_600, 3_600, 3_600]


async def test_the_watch_ends_after_the_channels_next_statement(house: House) -> None:
    row = await never_created(house)
    house.channel.queries = [NOT_FOUND]
    await house.pool.execute(
        "UPDATE recovery_tasks SET created_at = now() - interval '36 hours 1 second' WHERE payment_id = $1",
        row.payment_id,
    )
    await house.step(row)
    assert await house.tasks(row) == []


async def test_a_last_look_that_the_channel_did_not_answer_is_not_the_last(house: House) -> None:
    row = await never_created(house)
    house.channel.queries = [SILENT, SILENT, captured()]
    await house.pool.execute(
        "UPDATE recovery_tasks SET created_at = now() - interval '40 hours' WHERE payment_id = $1", row.payment_id
    )
    for pause_s in (30, 60):
        await house.step(row)
        assert round(await house.due_in_s(row)) == pause_s
    assert [late.amount_fen for late in (await house.step(row)).late_captures] == [2_599]


async def test_a_last_look_still_finds_the_money(house: House) -> None:
    row = await never_created(house)
    house.channel.queries = [captured()]
    await house.pool.execute(
        "UPDATE recovery_tasks SET created_at = now() - interval '40 hours' WHERE payment_id = $1", row.payment_id
    )
    await house.step(row)
    assert await house.tasks(row) == ["give_back"]


async def test_a_late_capture_is_booked_given_back_and_shown(house: House) -> None:
    row = await captured_late(house)
    assert await house.tasks(row) == ["give_back"]
    assert await house.balances(row) == {"channel_receivable": 2_599, "late_captures_payable": -2_599}
    [shown] = (await house.payment(row)).late_captures
    assert (shown.status, shown.amount_fen, shown.channel_trade_no, shown.refunded_at) == (
        "pending",
        2_599,
        "4200001",
        None,
    )

    house.channel.refunds = [RETURNED]
    payment = await house.step(row)
    [shown] = payment.late_captures
    assert (shown.status, shown.refunded_at is None) == ("refunded", False)
    assert (payment.status, payment.failure) == (Status.FAILED, FailureCode.NOT_CREATED)
    assert await house.events(row) == ["created", "not_created", "late_capture_found", "late_capture_refunded"]
    assert await house.balances(row) == {}
    assert await house.tasks(row) == []


async def test_what_arrived_is_given_back_though_it_is_another_amount_than_ours(house: House) -> None:
    row = await captured_late(house, 2_000)
    house.channel.refunds = [RETURNED]
    await house.step(row)
    _, refund = house.channel.calls[-1]
    assert isinstance(refund, RefundOrder)
    assert (refund.amount.amount_fen, refund.order.amount.amount_fen, refund.order.channel_trade_no) == (
        2_000,
        2_000,
        "4200001",
    )
    assert await house.balances(row) == {}


async def test_giving_back_is_asked_about_before_it_is_repeated_and_keeps_its_number_and_time(house: House) -> None:
    row = await captured_late(house)
    house.channel.calls.clear()
    house.channel.refunds = [SILENT, OPEN]
    house.channel.refund_queries = [NO_SUCH_REFUND, OPEN, RETURNED]
    for _ in range(4):
        payment = await house.step(row)
    assert house.channel.asked == ["refund", "query_refund", "refund", "query_refund", "query_refund"]
    [refund] = {order for _, order in house.channel.calls}
    assert isinstance(refund, RefundOrder)
    assert refund.refund_no == give_back_no(row.payment_id, 1)
    assert payment.late_captures[0].status == "refunded"


async def test_after_five_refusals_a_person_has_to_look_and_the_money_stays_owed(house: House) -> None:
    row = await captured_late(house)
    house.channel.refunds = [ChannelRejected("NOTENOUGH", FailureCode.CHANNEL_REFUSED)]
    for _ in range(4):
        assert (await house.step(row)).late_captures[0].status == "pending"
    assert (await house.step(row)).late_captures[0].status == "review"
    assert await house.tasks(row) == []
    assert await house.balances(row) == {"channel_receivable": 2_599, "late_captures_payable": -2_599}


async def test_the_same_late_capture_is_recorded_once_however_often_it_is_seen(house: House) -> None:
    row = await captured_late(house)
    await house.base.store.watch(await house.payment(row))
    await house.pool.execute(
        "DELETE FROM recovery_tasks WHERE payment_id = $1 AND purpose = 'give_back'", row.payment_id
    )
    await house.step(row)
    assert len((await house.payment(row)).late_captures) == 1
    assert await house.events(row) == ["created", "not_created", "late_capture_found"]
    assert await house.balances(row) == {"channel_receivable": 2_599, "late_captures_payable": -2_599}


async def test_two_workers_that_both_saw_the_refund_succeed_book_it_once(house: House) -> None:
    row = await captured_late(house)
    house.channel.refunds = house.channel.refund_queries = [RETURNED]
    sleeping = await house.lease(row)
    await house.age(row, 31)
    awake = await house.lease(row)
    await house.handle(awake)
    await house.handle(sleeping)
    assert await house.events(row) == ["created", "not_created", "late_capture_found", "late_capture_refunded"]
    assert await house.balances(row) == {}


async def test_a_capture_seen_after_the_reversal_committed_is_given_back(house: House) -> None:
    row = await house.begin()
    stale = await house.payment(row)
    account = house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    await house.base.charging.commit_reversal(stale)
    await house.base.charging.settle(stale, account, captured())
    house.channel.queries, house.channel.refunds = [captured()], [RETURNED]
    await house.step(row)
    payment = await house.step(row)
    assert (payment.status, payment.late_captures[0].status) == (Status.REVERSED, "refunded")
    assert await house.balances(row) == {}


async def test_a_watched_order_that_the_channel_closed_holds_no_money(house: House) -> None:
    row = await never_created(house)
    house.channel.queries = [TradeReport(TradeState.CLOSED)]
    await house.step(row)
    assert (await house.payment(row)).late_captures == ()


async def test_a_late_capture_whose_account_is_gone_waits_for_it(house: House) -> None:
    row = await captured_late(house)
    await house.pool.execute("UPDATE late_captures SET account_id = 'nobody' WHERE payment_id = $1", row.payment_id)
    await house.step(row)
    assert await house.tasks(row) == ["give_back"]
    assert 299 < await house.due_in_s(row) <= 300


async def test_a_capture_that_was_booked_and_given_back_is_no_late_one(house: House) -> None:
    """A process that slept on a query's answer; UnionPay would go on calling the voided order paid."""
    row = await house.begin()
    stale, account = await house.payment(row), house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    await house.base.charging.settle(stale, account, captured())
    assert await house.base.store.request_reversal(await house.payment(row))
    house.channel.voids = [RETURNED]
    assert (await house.step(row)).status is Status.REVERSED
    assert (await house.base.charging.settle(stale, account, captured())).status is Status.REVERSED
    assert await house.tasks(row) == []


async def test_another_amount_captured_for_a_payment_that_is_over_is_given_back_too(house: House) -> None:
    row = await house.begin()
    stale, account = await house.payment(row), house.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    await house.base.charging.commit_reversal(stale)
    assert (await house.base.charging.settle(stale, account, captured(9_999))).status is Status.REVERSED
    assert await house.tasks(row) == ["watch"]
    house.channel.queries = [captured(9_999)]
    await house.step(row)
    assert await house.tasks(row) == ["give_back"]
