"""Refunds are taken once each, in turn, and together never exceed their payment."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Count

import pytest

from gateway.database.partitions import ensure_partitions
from gateway.kernel.clock import utc_now
from gateway.kernel.errors import ApiError, Conflict
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money
from gateway.ledger.postings import Funder
from gateway.refunds.refund import Refund, RefundStatus
from gateway.refunds.split import Parts
from gateway.refunds.store import RefundStore
from routing.channels.base import RefundRules
from tests.integration.refunds.conftest import GIVEN_BACK, Counter
from tests.support.looking import until_row

BANK_AND_SHOP = [Funder("bank", Money(350)), Funder("merchant", Money(150))]


async def test_a_refund_is_held_against_its_payment_and_left_to_the_worker(counter: Counter) -> None:
    row = await counter.paid()
    answered = await counter.ask(row, 1_000, reason="too cold", operator_id="o-1", metadata={"table": "12"})
    refund = answered.refund
    assert not answered.replayed
    assert (refund.status, refund.seq, refund.amount, refund.returned_to_customer) == ("pending", 1, 1_000, 1_000)
    assert (refund.reason, refund.operator_id, refund.metadata) == ("too cold", "o-1", {"table": "12"})
    assert refund.refund_no == f"{row.payment_id[4:]}A1F01"
    assert await counter.sums(row) == (1_000, 0)
    assert await counter.tasks(row) == ["refund"]
    assert (await counter.events(row))[2:] == ["refund.created"]
    assert counter.channel.calls == []


class Hanging(RefundStore):
    """A store in which a look at a refund takes longer than anybody waits."""

    async def find(self, merchant_id: str, refund_id: str) -> Refund | None:
        await asyncio.sleep(60)
        return await super().find(merchant_id, refund_id)


async def test_whoever_waits_for_a_refund_is_answered_in_time_though_the_database_hangs(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await counter.paid()
    monkeypatch.setattr(counter.desk, "store", Hanging(counter.pool))
    began = time.monotonic()
    answered = await counter.ask(row, 1_000, wait_s=0.5)
    assert time.monotonic() - began < 5
    assert answered.refund.status is RefundStatus.PENDING


@pytest.mark.parametrize("in_a_month", [False, True])
@pytest.mark.parametrize("round_", range(3))
async def test_of_refunds_asked_for_at_once_exactly_those_are_taken_that_fit(
    counter: Counter, round_: int, *, in_a_month: bool
) -> None:
    """The losers wait for the lock of a row that changes meanwhile, in a month of its own or in none."""
    if in_a_month:
        async with counter.pool.acquire() as connection:
            await ensure_partitions(connection, utc_now())
    row = await counter.paid(amount=1_000)
    answers = await asyncio.gather(*[counter.ask(row, 300) for _ in range(10)], return_exceptions=True)
    taken = [answer.refund for answer in answers if not isinstance(answer, BaseException)]
    refused = [error for error in answers if isinstance(error, BaseException)]
    assert sorted(refund.seq for refund in taken) == [1, 2, 3]
    assert Count(error.code for error in refused if isinstance(error, ApiError)) == {"refund_exceeds_payment": 7}
    assert await counter.sums(row) == (900, 0)
    assert (await counter.refund(row, 100)).seq == 4
    assert (await counter.events(row))[2:] == ["refund.created"] * 4


async def test_the_same_request_at_once_makes_one_refund(counter: Counter) -> None:
    row = await counter.paid()
    answers = await asyncio.gather(*[counter.ask(row, 700, merchant_refund_no="same", key="k") for _ in range(8)])
    assert len({answer.refund.id for answer in answers}) == 1
    assert Count(answer.replayed for answer in answers) == {True: 7, False: 1}
    assert await counter.sums(row) == (700, 0)


async def test_a_number_belongs_to_one_request_of_its_merchant(counter: Counter) -> None:
    row, other = await counter.paid(), await counter.paid()
    first = await counter.refund(row, 700, merchant_refund_no="n", reason="cold")
    replayed = await counter.ask(row, 700, merchant_refund_no="n", reason="cold")
    assert (replayed.replayed, replayed.refund.id) == (True, first.id)
    for changes, field in (
        ({"amount": 701}, "amount"),
        ({"reason": None}, "reason"),
        ({"metadata": {"a": "b"}}, "metadata.a"),
        ({"payment_id": other.payment_id}, "payment_id"),
    ):
        fields = {"amount": 700, "reason": "cold", **changes}
        with pytest.raises(Conflict, match="belongs to another request") as caught:
            await counter.ask(row, fields.pop("amount"), merchant_refund_no="n", **fields)  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.param) == ("refund_no_reused", field)
    assert (await counter.refund(other, 700, merchant_refund_no="n")).id != first.id, "another merchant's"


async def test_a_key_belongs_to_one_refund_of_its_merchant(counter: Counter) -> None:
    row = await counter.paid()
    first = await counter.refund(row, 100, key="k")
    with pytest.raises(Conflict) as caught:
        await counter.ask(row, 100, key="k")
    assert caught.value.code == "idempotency_key_reused"
    assert await counter.sums(row) == (100, 0)
    second = await counter.refund(row, 100)
    with pytest.raises(Conflict):
        await counter.ask(row, 100, merchant_refund_no=second.merchant_refund_no, key="k")
    late = await counter.ask(row, 100, merchant_refund_no=first.merchant_refund_no, key="later")
    assert late.replayed
    with pytest.raises(Conflict):
        await counter.ask(row, 100, key="later")


async def test_one_number_for_two_payments_at_once_is_taken_once(counter: Counter) -> None:
    row = await counter.paid()
    other = await counter.paid()
    await counter.pool.execute("UPDATE payments SET merchant_id = $2 WHERE id = $1", other.payment_id, row.merchant_id)
    other = other._replace(merchant_id=row.merchant_id)
    answers = await asyncio.gather(
        *[counter.ask(which, 500, merchant_refund_no="n") for which in (row, other)], return_exceptions=True
    )
    [refused] = [answer for answer in answers if isinstance(answer, Conflict)]
    assert (refused.code, refused.param) == ("refund_no_reused", "payment_id")
    held = [(await counter.payment(which)).refund_held for which in (row, other)]
    assert sorted(held) == [0, 500], "what was refused has held nothing"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("status = 'processing', completed_at = NULL", "not_refundable"),
        ("status = 'reversed'", "not_refundable"),
        ("reversal = 'pending'", "not_refundable"),
        ("review = 'amount_mismatch'", "not_refundable"),
        ("reversal = 'failed'", None),
        ("refund_count = 1023", "refund_limit_reached"),
        ("refund_held = 2000", "refund_exceeds_payment"),
        ("completed_at = now() - interval '365 days'", "refund_window_closed"),
        ("completed_at = now() - interval '364 days 23 hours'", None),
    ],
)
async def test_only_a_payment_that_stands_and_within_its_channels_window_is_refunded(
    counter: Counter, change: str, code: str | None
) -> None:
    row = await counter.paid()
    await counter.pool.execute(f"UPDATE payments SET {change} WHERE id = $1", row.payment_id)
    if code is None:
        assert (await counter.refund(row, 600)).status == "pending"
        return
    before = await counter.pool.fetchrow("SELECT version, refund_held FROM payments WHERE id = $1", row.payment_id)
    with pytest.raises(Conflict) as caught:
        await counter.ask(row, 600, merchant_refund_no="n")
    assert caught.value.code == code
    assert before == await counter.pool.fetchrow(
        "SELECT version, refund_held FROM payments WHERE id = $1", row.payment_id
    )
    assert await counter.pool.fetchval("SELECT count(*) FROM refund_numbers WHERE merchant_id = $1", row.merchant_id) \
        == 0  # fmt: skip


async def test_another_merchants_payment_does_not_exist(counter: Counter) -> None:
    row = await counter.paid()
    with pytest.raises(ApiError) as caught:
        await counter.ask(row._replace(merchant_id=new_id("mer")), 1)
    assert (caught.value.http_status, caught.value.param) == (404, "payment_id")


async def test_more_refunds_than_the_channel_takes_are_refused_and_failed_ones_do_not_count(counter: Counter) -> None:
    counter.channel.refund_rules = RefundRules(0.0, 2, 365)
    row = await counter.paid()
    first = await counter.refund(row, 100)
    await counter.refund(row, 100)
    with pytest.raises(Conflict, match="at most 2") as caught:
        await counter.ask(row, 100)
    assert caught.value.code == "refund_limit_reached"
    await counter.pool.execute("UPDATE refunds SET status = 'failed', completed_at = now() WHERE id = $1", first.id)
    assert (await counter.refund(row, 100)).seq == 3


async def test_a_refund_too_early_for_the_channel_waits_behind_the_others(counter: Counter) -> None:
    counter.channel.refund_rules = RefundRules(60.0, 50, 365)
    row = await counter.paid()
    due = [(refund.next_at - refund.created_at).total_seconds() for refund in
           [await counter.refund(row, 100) for _ in range(3)]]  # fmt: skip
    assert [round(seconds) for seconds in due] == [0, 60, 120]


async def test_a_refund_whose_turn_comes_after_the_window_is_refused(counter: Counter) -> None:
    counter.channel.refund_rules = RefundRules(3_600.0, 50, 365)
    row = await counter.paid()
    await counter.paid_days_ago(row, 364.98)
    await counter.refund(row, 100)
    with pytest.raises(Conflict) as caught:
        await counter.ask(row, 100)
    assert caught.value.code == "refund_window_closed"


async def test_what_gives_the_customer_nothing_is_done_at_once_and_asks_no_channel(counter: Counter) -> None:
    row = await counter.paid(amount=1_000, payable=1, funding=[Funder("bank", Money(999))])
    await counter.paid_days_ago(row, 1_000)
    refund = await counter.refund(row, 400)
    assert (refund.status, refund.parts) == (RefundStatus.SUCCEEDED, Parts(0, 400, 0, (400,)))
    assert await counter.sums(row) == (400, 400)
    assert await counter.tasks(row) == []
    assert (await counter.events(row))[2:] == ["refund.created", "refund.succeeded"]
    assert await counter.balances(row) == {
        "channel_receivable": 1, "sponsor_receivable": 599, "merchant_payable": -600
    }  # fmt: skip
    assert counter.channel.calls == []


async def test_the_funders_get_their_parts_back(counter: Counter) -> None:
    row = await counter.paid(payable=2_099, funding=BANK_AND_SHOP)
    counter.channel.refunds = [GIVEN_BACK]
    parts = [(await counter.refund(row, goods)).parts for goods in (1_000, 1_000, 599)]
    assert parts == [
        Parts(807, 193, 3, (135, 58)),
        Parts(808, 192, 3, (134, 58)),
        Parts(484, 115, 2, (81, 34)),
    ]
    assert {refund.status for refund in await counter.work(row)} == {"succeeded"}
    assert await counter.balances(row) == {}, "all of it is back"


async def test_a_waiting_merchant_is_told_at_once_of_a_refund_that_waits_for_its_turn(counter: Counter) -> None:
    counter.channel.refund_rules = RefundRules(60.0, 50, 365)
    row = await counter.paid()
    counter.channel.refunds = [GIVEN_BACK]

    async def work() -> None:
        await until_row(counter.pool, "SELECT FROM refunds WHERE payment_id = $1", row.payment_id)
        await counter.work(row)

    first, _ = await asyncio.gather(counter.refund(row, 100, wait_s=20), work())
    assert first.status == "succeeded"
    async with asyncio.timeout(5):
        assert (await counter.refund(row, 100, wait_s=20)).status == "pending"
