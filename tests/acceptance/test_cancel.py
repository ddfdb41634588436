"""Cancelling: unknown outcomes are reversed, captures of the same channel day given back, what is over stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import pytest

from tests.support.gateway import GatewayStack
from tests.support.till import FINAL, WALLETS, Till, error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

GIVEN_BACK = {"refunded", "reversed"}


@pytest.fixture(autouse=True)
def ordinary_channels(stack: GatewayStack) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    stack.simulators.clear_faults()


async def test_a_payment_of_today_that_was_paid_is_given_back_and_ends_reversed(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payments = await asyncio.gather(*[till.paid(wallet) for wallet in WALLETS])
    answers = await asyncio.gather(*[till.cancel(payment["id"]) for payment in payments])
    for payment, answer in zip(payments, answers, strict=True):
        after = payment_of(answer)
        assert (after["status"], after["reversal"]) == ("reversed", "succeeded")
        assert stack.simulators.trade_of(payment)["refunded"] == 2599
        events = await database.fetch("SELECT type FROM events WHERE payment_id = $1 ORDER BY seq", payment["id"])
        assert [event["type"] for event in events] == ["payment.created", "payment.captured", "payment.reversed"]
        await _assert_books_are_even(database, payment)


async def test_cancelling_again_changes_nothing(stack: GatewayStack, till: Till) -> None:
    order = new_order("alipay")
    payment = payment_of(await till.pay(order), 201)
    first = payment_of(await till.cancel(payment["id"]))
    assert first["status"] == "reversed"
    assert payment_of(await till.cancel(payment["id"])) == first
    assert payment_of(await till.get(payment["id"])) == first
    assert stack.simulators.trade_of(payment)["refunded"] == 2599
    again = await till.pay(order)
    assert again.headers["idempotent-replayed"] == "true"
    assert payment_of(again, 201) == first, "the number of a reversed payment stays its own"


async def test_many_cancels_at_once_give_back_once(stack: GatewayStack, till: Till) -> None:
    payment = await till.paid("alipay")
    answers = await asyncio.gather(*[till.cancel(payment["id"]) for _ in range(10)])
    assert {payment_of(answer)["status"] for answer in answers} == {"reversed"}
    assert stack.simulators.trade_of(payment)["refunded"] == 2599


async def test_a_payment_whose_outcome_is_unknown_is_reversed(stack: GatewayStack, till: Till) -> None:
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, {"kind": "timeout_after_charging"}, {"kind": "outage", "calls": ["query"]})
    payments = await asyncio.gather(*[till.taken(wallet, wait_s=2) for wallet in WALLETS])
    assert {payment["status"] for payment in payments} == {"processing"}
    for payment in payments:
        assert payment_of(await till.cancel(payment["id"], wait_s=0))["reversal"] == "pending"
    stack.simulators.clear_faults()
    for payment in payments:
        settled = await till.settled(payment["id"])
        assert (settled["status"], settled["reversal"]) == ("reversed", "succeeded")
        trade = stack.simulators.trade_of(payment)
        assert trade["status"] in GIVEN_BACK
        assert trade["refunded"] == 2599


async def test_a_payment_that_waits_for_the_pin_is_reversed(stack: GatewayStack, till: Till) -> None:
    payments = await asyncio.gather(*[till.taken(wallet, "9004", wait_s=1) for wallet in WALLETS])
    for payment, answer in zip(
        payments, await asyncio.gather(*[till.cancel(payment["id"]) for payment in payments]), strict=True
    ):
        after = payment_of(answer)
        assert (after["status"], after["reversal"]) == ("reversed", "succeeded")
        assert stack.simulators.trade_of(payment)["status"] == "reversed"


@pytest.mark.parametrize("magic", ["9001", "9014"])
async def test_a_payment_that_failed_stays_as_it_is(till: Till, magic: str) -> None:
    payment = await till.settled((await till.taken("unionpay", magic))["id"])
    assert payment["status"] == "failed"
    assert payment_of(await till.cancel(payment["id"])) == payment


async def test_a_cancel_that_races_the_capture_ends_reversed(stack: GatewayStack, till: Till) -> None:
    stack.simulators.set_faults("wechat", latency_ms={"min": 100, "max": 400})
    orders = [new_order() for _ in range(10)]

    async def pay_and_cancel(order: dict[str, Any]) -> dict[str, Any]:
        paying = asyncio.create_task(till.pay(order))
        payment_id = await till.id_of(order["merchant_order_no"])
        await till.cancel(payment_id)
        await paying
        return await till.settled(payment_id, FINAL - {"succeeded"})

    for payment in await asyncio.gather(*[pay_and_cancel(order) for order in orders]):
        assert (payment["status"], payment["reversal"]) == ("reversed", "succeeded")
        trades = stack.simulators.trades_of(payment)
        assert all(trade["status"] != "captured" or trade["refunded"] == 2599 for trade in trades)


async def test_a_payment_of_another_day_has_to_be_refunded(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payment = await till.paid()
    await database.execute(
        "UPDATE payments SET created_at = created_at - interval '25 hours' WHERE id = $1", payment["id"]
    )
    error_of(await till.cancel(payment["id"]), 409, "use_refund")
    assert (await till.get(payment["id"])).json()["status"] == "succeeded"
    assert (await till.get(payment["id"])).json()["reversal"] is None
    assert stack.simulators.trade_of(payment)["refunded"] == 0


async def test_a_payment_left_to_a_person_is_not_cancelled(till: Till) -> None:
    payment = await till.taken("alipay", "9010", wait_s=1)
    error_of(await till.cancel(payment["id"]), 409, "under_review")


async def _assert_books_are_even(database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    """A capture and its reversal are booked, and come to nothing on every account."""
    balances = await database.fetch(
        "SELECT account, sum(amount) AS total FROM ("
        " SELECT debit AS account, amount FROM transfers WHERE payment_id = $1"
        " UNION ALL SELECT credit, -amount FROM transfers WHERE payment_id = $1) postings GROUP BY account",
        payment["id"],
    )
    assert balances
    assert {row["account"]: int(row["total"]) for row in balances if row["total"]} == {}
