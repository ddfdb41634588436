"""What a notification does: once, whoever applies it, in whatever order things come."""

from __future__ import annotations

import asyncio

import pytest

from gateway.callbacks.callback import Callback, Result
from gateway.database.intents import IntentRow, intent_batch
from gateway.kernel.clock import Deadline
from gateway.kernel.ids import new_id
from gateway.payments.numbers import give_back_no, refund_order_no
from gateway.payments.states import Event, Status
from gateway.refunds.refund import Refund, RefundOrder, RefundStatus
from gateway.refunds.schemas import RefundRequest
from routing.channels.notifications import Notification
from routing.channels.reports import RefundReport, RefundState, TradeReport, TradeState
from tests.integration.callbacks.conftest import ACCEPTED, Room, told
from tests.support.fake_channel import PENDING, captured, refused
from tests.support.rows import intent

CLOSED = TradeReport(TradeState.CLOSED)


async def test_a_refusal_that_is_told_ends_the_payment(room: Room) -> None:
    row = await room.begin()
    await room.tell(told(row, refused()))
    assert (await room.payment(row)).status is Status.FAILED
    assert await room.result(row.payment_id) == "applied"


async def test_what_decides_nothing_changes_nothing(room: Room) -> None:
    row = await room.begin()
    await room.tell(told(row, PENDING))
    assert (await room.payment(row)).status is Status.PROCESSING
    assert await room.result(row.payment_id) == "no_change"


async def test_what_is_known_already_changes_nothing(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    await room.tell(told(row))
    assert await room.events(row) == ["created", "captured"]
    assert await room.result(row.payment_id) == "no_change"


async def test_a_notification_and_a_query_at_once_book_once(room: Room) -> None:
    row = await room.begin()
    payment, account = await room.payment(row), room.base.accounts.get("wechat_direct")
    assert account is not None
    body = room.message(told(row))
    await asyncio.gather(room.receive(body), room.base.charging.settle(payment, account, captured()))
    await room.reception.drain()
    assert await room.events(row) == ["created", "captured"]
    assert await room.result(row.payment_id) in {"applied", "no_change"}


async def test_another_amount_than_ours_is_taken_in_and_left_to_a_person_and_never_booked(room: Room) -> None:
    row = await room.begin()
    assert await room.tell(told(row, captured(2_598))) == ACCEPTED
    payment = await room.payment(row)
    assert (payment.status, payment.review) == (Status.PROCESSING, "amount_mismatch")
    assert await room.pool.fetchval("SELECT count(*) FROM transfers WHERE payment_id = $1", row.payment_id) == 0
    assert await room.result(row.payment_id) == "review"


@pytest.mark.parametrize("event", [Event.DECLINED, Event.NOT_CREATED, Event.CLOSED])
async def test_money_for_a_payment_that_is_over_is_looked_into_so_that_it_goes_back(room: Room, event: Event) -> None:
    row = await room.begin(event)
    before = await room.payment(row)
    await room.tell(told(row))
    assert (await room.payment(row)).status is before.status
    assert await room.tasks(row) == ["watch"]
    assert await room.result(row.payment_id) == "late"


async def test_a_capture_that_was_booked_and_given_back_is_no_news(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    await room.base.charging.commit_reversal(await room.payment(row))
    await room.tell(told(row))
    assert (await room.payment(row)).status is Status.REVERSED
    assert await room.tasks(row) == []
    assert await room.result(row.payment_id) == "no_change"


async def test_money_that_races_a_cancel_is_not_booked_and_the_worker_gives_it_back_at_once(room: Room) -> None:
    row = await room.begin()
    assert await room.base.store.request_reversal(await room.payment(row))
    await room.pool.execute(
        "UPDATE recovery_tasks SET next_at = now() + interval '1 hour' WHERE payment_id = $1", row.payment_id
    )
    await room.tell(told(row))
    payment = await room.payment(row)
    assert (payment.status, payment.reversal) == (Status.PROCESSING, "pending")
    assert await room.tasks(row) == ["resolve"]


async def test_an_order_that_the_channel_closed_ends(room: Room) -> None:
    row = await room.begin()
    await room.tell(told(row, CLOSED))
    assert (await room.payment(row)).status is Status.CLOSED


@pytest.mark.parametrize("report", [CLOSED, refused(), captured(1), TradeReport(TradeState.REFUNDED)])
async def test_what_contradicts_a_booked_capture_undoes_nothing_and_is_left_to_a_person(
    room: Room, report: TradeReport
) -> None:
    row = await room.begin(Event.CAPTURED)
    await room.tell(told(row, report))
    assert (await room.payment(row)).status is Status.SUCCEEDED
    assert await room.events(row) == ["created", "captured"]
    assert await room.result(row.payment_id) == "review"


async def test_a_channel_that_tells_of_money_that_we_give_back_contradicts_nothing(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    await room.pool.execute("UPDATE payments SET refund_held = 100 WHERE id = $1", row.payment_id)
    await room.tell(told(row, TradeReport(TradeState.REFUNDED)))
    assert await room.result(row.payment_id) == "no_change"


async def test_told_before_our_own_row_it_is_acknowledged_kept_and_applied_when_the_row_is_there(room: Room) -> None:
    row = intent(new_id("pay"), new_id("mer"))
    assert await room.tell(told(row)) == ACCEPTED
    assert await room.result(row.payment_id) is None
    pauses = []
    for _ in range(9):
        await room.age(row.payment_id, 4_000)
        assert await room.sweep() == 1
        [kept] = await room.rows(row.payment_id)
        now = await room.pool.fetchval("SELECT now()")
        pauses.append(round((kept["next_at"] - now).total_seconds()))
    assert pauses == [2, 5, 15, 60, 300, 900, 3_600, 3_600, 3_600]

    await intent_batch(room.pool).flush([row])
    await room.age(row.payment_id, 4_000)
    assert await room.sweep() == 1
    assert (await room.payment(row)).status is Status.SUCCEEDED
    assert await room.result(row.payment_id) == "applied"


async def test_an_order_that_has_not_become_ours_within_a_day_is_an_orphan(room: Room) -> None:
    row = intent(new_id("pay"), new_id("mer"))
    await room.tell(told(row))
    await room.age(row.payment_id, 86_300)
    await room.sweep()
    assert await room.result(row.payment_id) is None
    await room.age(row.payment_id, 86_300)
    await room.sweep()
    assert await room.result(row.payment_id) == "orphan"
    await room.age(row.payment_id, 86_300)
    assert await room.sweep() == 0


async def test_an_order_that_turns_out_to_be_another_accounts_is_an_orphan(room: Room) -> None:
    row = intent(new_id("pay"), new_id("mer"), account_id="wechat_direct")
    assert await room.tell(told(row), "alipay_direct") == ACCEPTED  # nobody can know better yet
    await intent_batch(room.pool).flush([row])
    await room.age(row.payment_id, 60)
    await room.sweep()
    assert (await room.payment(row)).status is Status.PROCESSING
    assert await room.result(row.payment_id) == "orphan"


async def test_what_a_dead_gateway_left_is_applied_by_the_worker_once_whoever_sweeps(room: Room) -> None:
    rows = [await room.begin() for _ in range(20)]
    for row in rows:
        notification = told(row)
        callback = Callback.of("wechat_direct", notification)
        assert await room.inbox.take_in(callback, {}, room.message(notification), worker_after_s=0)
    assert sum(await asyncio.gather(*[room.sweep() for _ in range(4)])) == 20
    for row in rows:
        assert await room.events(row) == ["created", "captured"]
        assert await room.result(row.payment_id) == "applied"


async def test_applying_twice_at_once_does_no_harm(room: Room) -> None:
    row = await room.begin()
    callback = Callback.of("wechat_direct", told(row))
    await room.inbox.take_in(callback, {}, b"", worker_after_s=60)
    await asyncio.gather(*[room.applying.handle(callback) for _ in range(8)])
    assert await room.events(row) == ["created", "captured"]
    assert await room.result(row.payment_id) in {"applied", "no_change"}
    assert not await room.inbox.finish(callback, Result.ORPHAN)


async def test_a_worker_that_died_with_a_callback_leaves_it_to_the_next_one(room: Room) -> None:
    row = await room.begin()
    callback = Callback.of("wechat_direct", told(row))
    await room.inbox.take_in(callback, {}, b"", worker_after_s=0)
    [leased] = await room.inbox.lease(10, 30.0)
    assert (leased.callback, leased.tries) == (callback, 1)
    assert await room.sweep() == 0
    await room.age(row.payment_id, 31)
    assert await room.sweep() == 1
    assert await room.result(row.payment_id) == "applied"


async def test_a_callback_that_cannot_be_opened_keeps_no_other_one_waiting(room: Room) -> None:
    rows = [await room.begin() for _ in range(2)]
    for row in rows:
        await room.inbox.take_in(Callback.of("wechat_direct", told(row)), {}, b"", worker_after_s=0)
    await room.pool.execute(
        "UPDATE callbacks SET report_sealed = 'sealed elsewhere' WHERE payment_id = $1", rows[0].payment_id
    )
    await room.sweep()
    assert await room.result(rows[0].payment_id) is None
    assert await room.result(rows[1].payment_id) == "applied"


async def test_the_end_of_a_return_that_is_under_way_makes_the_worker_look(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    assert await room.base.store.request_reversal(await room.payment(row))
    await room.pool.execute(
        "UPDATE recovery_tasks SET next_at = now() + interval '1 hour' WHERE payment_id = $1", row.payment_id
    )
    number = give_back_no(row.payment_id, 1)
    await room.tell(told(row, trade=None, refund_no=number, refund=RefundReport(RefundState.SUCCEEDED)))
    assert await room.tasks(row) == ["resolve"]


@pytest.mark.parametrize("succeeded", [False, True])
async def test_money_for_an_earlier_attempt_is_looked_into_and_changes_nothing(room: Room, *, succeeded: bool) -> None:
    row = await room.begin(Event.CAPTURED if succeeded else None)
    await room.pool.execute(
        "INSERT INTO attempts (payment_id, merchant_id, seq, account_id, send_before, created_at)"
        " VALUES ($1, $2, 2, 'alipay_direct', now(), now())",
        row.payment_id,
        row.merchant_id,
    )
    await room.pool.execute(
        "UPDATE payments SET attempt_seq = 2, account_id = 'alipay_direct' WHERE id = $1", row.payment_id
    )
    before = await room.payment(row)
    await room.tell(told(row))
    assert await room.payment(row) == before
    assert "watch" in await room.tasks(row)
    assert await room.result(row.payment_id) == "late"


async def refund_of(room: Room, row: IntentRow, amount: int = 1_000) -> Refund:
    request = RefundRequest(payment_id=row.payment_id, amount=amount, merchant_refund_no=f"R-{row.payment_id[-12:]}")
    order = RefundOrder(row.merchant_id, request)
    answered = await room.base.refunds.take(order, Deadline.after(0))
    await room.pool.execute(
        "UPDATE recovery_tasks SET next_at = now() + interval '1 hour' WHERE payment_id = $1", row.payment_id
    )
    return answered.refund


def of_refund(row: IntentRow, refund: Refund, report: RefundReport) -> Notification:
    return told(row, trade=None, refund_no=refund.refund_no, refund=report)


async def test_a_refund_that_the_channel_tells_of_is_booked_once(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    refund = await refund_of(room, row)
    body = room.message(of_refund(row, refund, RefundReport(RefundState.SUCCEEDED, "5000001", 1_000)))
    assert await asyncio.gather(*[room.receive(body) for _ in range(20)]) == [ACCEPTED] * 20
    await room.reception.drain()
    found = await room.base.refunds.store.find(refund.merchant_id, refund.id)
    assert found is not None
    assert (found.status, found.channel_refund_no) == (RefundStatus.SUCCEEDED, "5000001")
    assert (await room.payment(row)).amount_refunded == 1_000
    assert await room.events(row) == ["created", "captured", "refund.created", "refund.succeeded"]
    assert await room.result(row.payment_id) == "applied"


async def test_a_refund_that_the_channel_will_not_carry_out_fails(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    refund = await refund_of(room, row)
    await room.tell(of_refund(row, refund, RefundReport(RefundState.FAILED)))
    assert (await room.payment(row)).refund_held == 0
    assert await room.result(row.payment_id) == "applied"


@pytest.mark.parametrize(
    ("report", "result"),
    [
        (RefundReport(RefundState.SUCCEEDED, amount_fen=999), "review"),
        (RefundReport(RefundState.PENDING, abnormal=True), "review"),
        (RefundReport(RefundState.PENDING), "no_change"),
    ],
)
async def test_a_refund_is_not_booked_by_what_does_not_say_that_it_is_done(
    room: Room, report: RefundReport, result: str
) -> None:
    row = await room.begin(Event.CAPTURED)
    refund = await refund_of(room, row)
    await room.tell(of_refund(row, refund, report))
    assert (await room.payment(row)).amount_refunded == 0
    assert await room.result(row.payment_id) == result


async def test_that_something_happened_to_a_refund_makes_the_worker_ask_what(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    refund = await refund_of(room, row)
    await room.tell(of_refund(row, refund, RefundReport(RefundState.PENDING)))
    assert "refund" in await room.tasks(row)


async def test_a_refund_that_is_told_before_its_payment_is_booked_all_the_same(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    refund = await refund_of(room, row)
    await room.tell(of_refund(row, refund, RefundReport(RefundState.SUCCEEDED, amount_fen=1_000)))
    await room.tell(told(row, id="n2"))
    payment = await room.payment(row)
    assert (payment.status, payment.amount_refunded) == (Status.SUCCEEDED, 1_000)
    assert [found["result"] for found in await room.rows(row.payment_id)] == ["applied", "no_change"]


async def test_a_refund_of_which_nothing_is_known_yet_is_kept(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    number = refund_order_no(row.payment_id, 1, 1)
    await room.tell(told(row, trade=None, refund_no=number, refund=RefundReport(RefundState.SUCCEEDED)))
    assert await room.result(row.payment_id) is None
    await refund_of(room, row)
    await room.age(row.payment_id, 60)
    await room.sweep()
    assert await room.result(row.payment_id) == "applied"


async def test_a_refund_that_was_not_made_by_us_is_left_to_a_person(room: Room) -> None:
    row = await room.begin(Event.CAPTURED)
    await room.tell(told(row, trade=None, refund_no="MANUAL0001", refund=RefundReport(RefundState.SUCCEEDED)))
    assert await room.result(row.payment_id) == "review"
