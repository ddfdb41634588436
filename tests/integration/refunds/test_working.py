"""The worker gives money back: asks once, queries under the same number, books once, and keeps the channel's rate."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.database.intents import IntentRow
from gateway.kernel.failures import FailureCode
from gateway.refunds import commits
from gateway.refunds.refund import Refund, RefundStatus
from gateway.refunds.steps import ABNORMAL, AMOUNT_MISMATCH, CONTRADICTED, End, Verdict
from routing.channels.base import ChannelRejected, ChannelUnknown, ChannelUnsent, RefundOrder, RefundRules
from routing.channels.reports import RefundReport, RefundState, TradeReport, TradeState
from tests.integration.refunds.conftest import ACCEPTED, ACCOUNT_ID, GIVEN_BACK, NOT_FOUND, Counter
from tests.support.fake_channel import SILENT

BALANCE_TOO_LOW = ChannelRejected("NOT_ENOUGH", FailureCode.MERCHANT_BALANCE_INSUFFICIENT)
FAILED = RefundReport(RefundState.FAILED, channel_code="CLOSED")
UNREACHABLE = RefundReport(RefundState.PENDING, "50300001", abnormal=True)


def in_s(refund: Refund) -> float:
    """How far off the next look is."""
    return (refund.next_at - refund.read_at).total_seconds()


async def settled(counter: Counter, row: IntentRow, status: str) -> Refund:
    [refund] = await counter.refunds(row)
    assert refund.status == status
    assert await counter.tasks(row) == []
    return refund


async def test_a_refund_is_asked_for_booked_and_told(counter: Counter) -> None:
    row = await counter.paid()
    asked = await counter.refund(row, 1_000, reason="cold")
    counter.channel.refunds = [GIVEN_BACK]
    await counter.work(row)
    refund = await settled(counter, row, "succeeded")
    assert (refund.channel_refund_no, refund.completed_at is not None) == ("50300001", True)
    [(name, order)] = counter.channel.calls
    assert isinstance(order, RefundOrder)
    assert (name, order.refund_no, order.amount.amount_fen, order.reason) == ("refund", asked.refund_no, 1_000, "cold")
    assert (order.created_at, order.order.channel_trade_no) == (asked.created_at, "4200001")
    assert order.order.amount.amount_fen == 2_599
    assert await counter.sums(row) == (1_000, 1_000)
    assert (await counter.events(row))[2:] == ["refund.created", "refund.succeeded"]
    assert await counter.balances(row) == {"channel_receivable": 1_592, "merchant_payable": -1_592}
    events = await counter.pool.fetch(
        "SELECT id, refund_id, from_status, to_status FROM events WHERE payment_id = $1 AND type LIKE 'refund.%'"
        " ORDER BY seq",
        row.payment_id,
    )
    assert [(event["id"] is not None, event["refund_id"]) for event in events] == [(False, asked.id), (True, asked.id)]
    assert {(event["from_status"], event["to_status"]) for event in events} == {("succeeded", "succeeded")}


@pytest.mark.parametrize("has_endpoint", [False, True])
async def test_the_end_of_a_refund_goes_to_the_outbox_where_its_merchant_wants_to_be_told(
    counter: Counter, *, has_endpoint: bool
) -> None:
    row = await counter.paid(notify_url=None if has_endpoint else "https://till.example/hook")
    if has_endpoint:
        await counter.pool.execute(
            "INSERT INTO merchants (id, name, webhook_secret_sealed) VALUES ($1, 'm', '')", row.merchant_id
        )
        await counter.pool.execute(
            "INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed) VALUES ($1, $2, 'https://x', '')",
            f"we_{row.merchant_id}",
            row.merchant_id,
        )
    await counter.pool.execute("DELETE FROM webhook_outbox WHERE merchant_id = $1", row.merchant_id)
    await counter.refund(row, 1_000)
    counter.channel.refunds = [GIVEN_BACK]
    await counter.work(row)
    told = await counter.pool.fetch(
        "SELECT o.seq, e.type FROM webhook_outbox o JOIN events e ON e.id = o.event_id WHERE o.payment_id = $1",
        row.payment_id,
    )
    assert [tuple(record) for record in told] == [(4, "refund.succeeded")]


async def test_what_the_channel_has_taken_in_is_asked_for_until_it_is_carried_out(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds, counter.channel.refund_queries = [ACCEPTED], [ACCEPTED, GIVEN_BACK]
    [refund] = await counter.work(row)
    assert (refund.status, refund.channel_refund_no) == ("pending", "50300001")
    assert 0 < in_s(refund) <= 0.5
    assert counter.channel.asked == ["refund"]
    await counter.pass_time(row, 100)
    [refund] = await counter.work(row)
    assert 45 < in_s(refund) < 55, "half of its age"
    await counter.pass_time(row, 100_000)
    counter.channel.refund_queries = [ACCEPTED, GIVEN_BACK]
    [refund] = await counter.work(row)
    assert 3_500 < in_s(refund) <= 3_600, "a bank takes its days"
    await counter.work_now(row)
    await settled(counter, row, "succeeded")
    assert counter.channel.asked == ["refund", *["query_refund"] * 3]


@pytest.mark.parametrize("error", [SILENT, ChannelUnknown("http_500")])
async def test_an_unknown_refund_is_queried_under_its_number_and_asked_for_again_only_if_it_is_not_there(
    counter: Counter, error: ChannelUnknown
) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds, counter.channel.refund_queries = [error, GIVEN_BACK], [SILENT, NOT_FOUND]
    [refund] = await counter.work(row)
    assert 9 < in_s(refund) <= 10
    await counter.work_now(row)
    assert counter.channel.asked == ["refund", "query_refund"]
    await counter.work_now(row)
    await settled(counter, row, "succeeded")
    assert counter.channel.asked == ["refund", "query_refund", "query_refund", "refund"]
    assert len({call.refund_no for _, call in counter.channel.calls if isinstance(call, RefundOrder)}) == 1
    assert await counter.sums(row) == (1_000, 1_000)


async def test_an_unknown_refund_is_looked_for_at_least_every_minute(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refund_queries = [SILENT]
    waits = [in_s((await counter.work_now(row))[0]) for _ in range(6)]
    assert [round(wait) for wait in waits] == [10, 20, 40, 60, 60, 60]


async def test_what_never_left_is_asked_for_again_without_a_doubt(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds = [ChannelUnsent("connect_failed"), BALANCE_TOO_LOW]
    [refund] = await counter.work(row)
    assert (refund.status, refund.asked_at, refund.last_asked_at) == ("pending", None, None)
    await counter.work_now(row)
    assert (await settled(counter, row, "failed")).failure == "merchant_balance_insufficient"
    assert counter.channel.asked == ["refund", "refund"]


@pytest.mark.parametrize("answer", [BALANCE_TOO_LOW, FAILED])
async def test_a_refused_refund_gives_back_what_it_held_and_another_one_can_be_made(
    counter: Counter, answer: ChannelRejected | RefundReport
) -> None:
    row = await counter.paid()
    await counter.refund(row, 2_599)
    counter.channel.refunds = [answer, GIVEN_BACK]
    await counter.work(row)
    refund = await settled(counter, row, "failed")
    code = "merchant_balance_insufficient" if answer is BALANCE_TOO_LOW else "refund_refused"
    assert (refund.failure, refund.failure_channel_code) == (
        code,
        "NOT_ENOUGH" if answer is BALANCE_TOO_LOW else "CLOSED",
    )
    assert await counter.sums(row) == (0, 0)
    assert (await counter.events(row))[2:] == ["refund.created", "refund.failed"]
    assert await counter.balances(row) == {"channel_receivable": 2_589, "merchant_payable": -2_589}
    again = await counter.refund(row, 2_599)
    assert (again.seq, again.refund_no[-2:]) == (2, "02")
    await counter.work(row)
    assert await counter.sums(row) == (2_599, 2_599)
    assert await counter.balances(row) == {}


async def test_a_refusal_after_an_unknown_request_is_believed_only_when_that_can_no_longer_arrive(
    counter: Counter,
) -> None:
    """The first request may still be on its way: were the refund failed now, the money could go back twice."""
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds = [SILENT, BALANCE_TOO_LOW]
    await counter.work(row)
    [refund] = await counter.work_now(row)
    assert refund.status == "pending"
    assert 115 < in_s(refund) <= 120
    counter.channel.refund_queries = [GIVEN_BACK]
    await counter.work_now(row)
    await settled(counter, row, "succeeded")

    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds, counter.channel.refund_queries = [SILENT, BALANCE_TOO_LOW], [NOT_FOUND]
    await counter.work(row)
    await counter.work_now(row)
    await counter.pass_time(row, 121)
    await counter.work(row)
    await settled(counter, row, "failed")


async def test_refunds_keep_the_channels_pause_and_go_out_by_themselves(counter: Counter) -> None:
    counter.channel.refund_rules = RefundRules(60.0, 50, 365)
    counter.channel.refunds = [ACCEPTED]
    counter.channel.refund_queries = [GIVEN_BACK]
    row = await counter.paid()
    for _ in range(3):
        await counter.refund(row, 100)
    await counter.work_now(row)
    assert counter.channel.asked == ["refund"], "the others wait, even where a look at them is due"
    assert 55 < await counter.due_in_s(row) + 60 <= 61, "the first one is looked at next"
    await counter.work_now(row)
    assert counter.channel.asked == ["refund", "query_refund"]
    assert 55 < await counter.due_in_s(row) <= 60
    for asked in (2, 3):
        await counter.pass_time(row, 61)
        await counter.work_now(row)
        assert counter.channel.asked.count("refund") == asked
        await counter.work_now(row)
    assert {refund.status for refund in await counter.refunds(row)} == {"succeeded"}
    assert await counter.tasks(row) == []


async def test_a_worker_that_died_while_it_asked_leaves_a_question_and_the_pause_behind(counter: Counter) -> None:
    counter.channel.refund_rules = RefundRules(60.0, 50, 365)
    row = await counter.paid()
    first, _ = await counter.refund(row, 100), await counter.refund(row, 100)
    assert await counter.desk.store.ask(first, 10.0)
    counter.channel.refund_queries = [GIVEN_BACK]
    _, second = await counter.work_now(row)
    assert counter.channel.asked == ["query_refund"]
    assert 65 < in_s(second) <= 70, "the request may have been taken in as late as its time allowed"


async def test_a_worker_that_slept_past_its_lease_asks_for_nothing(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 100)
    task = await counter.lease_refunds(row)
    [refund] = await counter.work(row, replace(task, send_before=time.monotonic() - 1))
    assert (refund.status, refund.asked_at) == ("pending", None)
    assert counter.channel.asked == ["refund"], "the transport lets nothing out (the fake one as the real one)"


async def test_two_workers_with_the_same_answer_book_it_once(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    task = await counter.lease_refunds(row)
    counter.channel.refunds = [GIVEN_BACK]
    await asyncio.gather(*[counter.work(row, task) for _ in range(4)])
    await settled(counter, row, "succeeded")
    assert await counter.sums(row) == (1_000, 1_000)
    assert (await counter.events(row))[2:] == ["refund.created", "refund.succeeded"]


async def test_a_refund_taken_while_the_worker_finishes_the_others_keeps_its_task(counter: Counter) -> None:
    counter.channel.refunds = [GIVEN_BACK]
    for _ in range(5):
        row = await counter.paid()
        await counter.refund(row, 100)
        task = await counter.lease_refunds(row)
        await asyncio.gather(counter.work(row, task), *[counter.refund(row, 100) for _ in range(3)])
        if any(refund.status == "pending" for refund in await counter.refunds(row)):
            assert await counter.tasks(row) == ["refund"]
            await counter.work(row)
        assert {refund.status for refund in await counter.refunds(row)} == {"succeeded"}
        assert await counter.tasks(row) == []


async def test_a_refund_ends_whoever_writes_to_its_row_at_the_same_time(counter: Counter) -> None:
    row = await counter.paid(amount=100_000)
    for _ in range(10):
        refund = await counter.refund(row, 5)
        looks = [counter.desk.store.put_off(refund, 1.0, tried=True) for _ in range(8)]
        ended, *_ = await asyncio.gather(counter.desk.commit(refund, Verdict(End.SUCCEEDED)), *looks)
        assert ended.status == "succeeded"
    assert await counter.sums(row) == (50, 50)


async def test_who_is_woken_while_the_worker_looks_is_not_put_off_by_what_the_worker_saw(counter: Counter) -> None:
    row = await counter.paid()
    read = await counter.refund(row, 1_000)
    async with counter.pool.acquire() as connection:
        await commits.wake(connection, read)
    await counter.desk.store.put_off(read, 86_400, tried=True)
    [woken] = await counter.refunds(row)
    assert in_s(woken) <= 0
    await counter.desk.store.put_off(woken, 86_400, tried=True)
    [put_off] = await counter.refunds(row)
    assert 86_000 < in_s(put_off) <= 86_400


async def test_a_payers_account_that_is_gone_is_a_persons_business_and_asked_about_daily(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds, counter.channel.refund_queries = [ACCEPTED], [UNREACHABLE, GIVEN_BACK]
    await counter.work(row)
    [refund] = await counter.work_now(row)
    assert (refund.status, refund.review) == ("pending", ABNORMAL)
    assert 86_000 < in_s(refund) <= 86_400
    assert await counter.sums(row) == (1_000, 0)
    await counter.work_now(row)
    assert (await settled(counter, row, "succeeded")).review is None


async def test_another_amount_than_ours_is_never_booked(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds = [replace(GIVEN_BACK, amount_fen=999)]
    [refund] = await counter.work(row)
    assert (refund.status, refund.review) == ("pending", AMOUNT_MISMATCH)
    assert await counter.sums(row) == (1_000, 0)


async def test_what_a_channel_tells_by_itself_is_applied_once_by_its_number(counter: Counter) -> None:
    row = await counter.paid()
    asked = await counter.refund(row, 1_000)
    told = [counter.desk.settle_by_number(asked.refund_no, GIVEN_BACK) for _ in range(10)]
    assert {found and found.status for found in await asyncio.gather(*told)} == {"succeeded"}
    assert await counter.sums(row) == (1_000, 1_000)
    assert (await counter.events(row))[2:] == ["refund.created", "refund.succeeded"]
    await counter.work(row)
    await settled(counter, row, "succeeded")
    assert counter.channel.calls == []
    give_back = asked.refund_no[:-3] + "R"
    for number in (give_back, asked.refund_no[:-2] + "02", "somebody-elses", ""):
        assert await counter.desk.settle_by_number(number, GIVEN_BACK) is None


@pytest.mark.parametrize(
    ("late", "review"),
    [
        (RefundReport(RefundState.PENDING, abnormal=True), None),
        (RefundReport(RefundState.SUCCEEDED, amount_fen=7), None),
        (RefundReport(RefundState.FAILED), CONTRADICTED),
    ],
)
async def test_what_was_read_of_a_refund_before_it_ended_is_held_against_its_end(
    counter: Counter, late: RefundReport, review: str | None
) -> None:
    as_read = await counter.refund(await counter.paid(), 599)
    await counter.desk.settle(as_read, GIVEN_BACK)
    found = await counter.desk.settle(as_read, late)
    assert (found.status, found.review) == (RefundStatus.SUCCEEDED, review)


@pytest.mark.parametrize(("first", "second"), [(FAILED, GIVEN_BACK), (GIVEN_BACK, FAILED)])
async def test_a_channel_that_contradicts_itself_changes_nothing_and_is_a_persons_business(
    counter: Counter, first: RefundReport, second: RefundReport
) -> None:
    row = await counter.paid()
    asked = await counter.refund(row, 1_000)
    ended = await counter.desk.settle(asked, first)
    sums = await counter.sums(row)
    assert (await counter.desk.settle(ended, first)).review is None
    contradicted = await counter.desk.settle(ended, second)
    assert (contradicted.status, contradicted.review) == (ended.status, CONTRADICTED)
    assert await counter.sums(row) == sums


async def test_a_woken_refund_is_looked_at_at_once(counter: Counter) -> None:
    row = await counter.paid()
    await counter.refund(row, 1_000)
    counter.channel.refunds, counter.channel.refund_queries = [ACCEPTED], [GIVEN_BACK]
    await counter.work(row)
    await counter.pass_time(row, -500)
    await counter.work(row)
    assert counter.channel.asked == ["refund"]
    [refund] = await counter.refunds(row)
    await counter.desk.wake(refund)
    assert await counter.due_in_s(row) <= 0
    await counter.work(row)
    await settled(counter, row, "succeeded")
    await counter.desk.wake(refund)
    assert await counter.tasks(row) == [], "what is over needs no look"


@pytest.mark.parametrize("status", ["draining", "disabled"])
async def test_a_refund_goes_through_the_account_that_took_the_payment_whatever_its_status(
    counter: Counter, status: str
) -> None:
    row = await counter.paid()
    accounts = counter.base.accounts
    await counter.pool.execute("UPDATE channel_accounts SET status = $2 WHERE id = $1", ACCOUNT_ID, status)
    await accounts.reload()
    try:
        await counter.refund(row, 1_000)
        counter.channel.refunds = [GIVEN_BACK]
        await counter.work(row)
        await settled(counter, row, "succeeded")
    finally:
        await counter.pool.execute("UPDATE channel_accounts SET status = 'enabled'")
        await accounts.reload()


async def test_a_payment_that_is_being_refunded_is_not_cancelled_and_the_other_way_round(counter: Counter) -> None:
    row = await counter.paid()
    store, payment = counter.base.store, await counter.payment(row)
    refund = await counter.refund(row, 1)
    assert not await store.request_reversal(payment)
    await counter.desk.commit(refund, Verdict(End.FAILED, failure=FailureCode.REFUND_REFUSED))
    assert await store.request_reversal(payment)


@pytest.mark.parametrize("state", [TradeState.CLOSED, TradeState.REFUNDED])
async def test_a_payment_that_its_channel_calls_closed_because_it_was_refunded_stays_as_it_is(
    counter: Counter, state: TradeState
) -> None:
    """Alipay closes a trade that was given back in full, and tells so."""
    row = await counter.paid()
    counter.channel.refunds = [GIVEN_BACK]
    await counter.refund(row, 2_599)
    await counter.work(row)
    payment, account = await counter.payment(row), counter.base.accounts.get(ACCOUNT_ID)
    assert account is not None
    found = await counter.base.charging.settle(payment, account, TradeReport(state, amount_fen=2_599))
    assert (found.status, found.reversal, found.review, found.amount_refunded) == ("succeeded", None, None, 2_599)
    assert await counter.payment(row) == payment
    assert await counter.balances(row) == {}


async def test_a_worker_that_slept_before_it_sent_does_not_make_the_request_of_the_next_one_undone(
    counter: Counter,
) -> None:
    """Were the refund taken for one that was never asked for, a refusal of its repetition would be believed."""
    row = await counter.paid()
    refund = await counter.refund(row, 100)
    store = counter.desk.store
    asleep = await store.ask(refund, 10.0)
    await counter.pass_time(row, 31)
    counter.channel.refunds = [SILENT]
    [after] = await counter.work_now(row)
    assert counter.channel.asked == ["query_refund", "refund"]
    assert asleep is not None
    await store.unsent(refund, asleep)
    [found] = await counter.refunds(row)
    assert (found.asked_at, found.last_asked_at) == (after.asked_at, after.last_asked_at)
    assert found.asked_at is not None
