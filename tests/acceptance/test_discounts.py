"""Discounts as a till sees them: taken within the payment, funded to the fen, given back, never more than a budget."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import pytest

from tests.support.discounts import PoolView
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.refunds import refund
from tests.support.till import Till, new_order, payment_of
from tests.support.waiting import eventually

__all__ = ["manager"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
FUNDING = [{"sponsor": "bank", "amount": 350}, {"sponsor": "merchant", "amount": 150}]


def money(payment: dict[str, Any]) -> tuple[int, int, int]:
    return payment["amount"], payment["discount"], payment["payable"]


async def booked(database: asyncpg.Connection, payment: dict[str, Any]) -> dict[tuple[str, str], int]:
    """What was booked of a payment, by kind and the account that owes."""
    found: Counter[tuple[str, str]] = Counter()
    for row in await database.fetch("SELECT kind, debit, amount FROM transfers WHERE payment_id = $1", payment["id"]):
        found[row["kind"], row["debit"].partition(":")[0] + ":" + row["debit"].partition(":")[2][:4]] += row["amount"]
    return dict(found)


async def test_a_payment_takes_its_discount_and_books_who_pays_for_it(
    stack: GatewayStack, till: Till, manager: Manager, database: asyncpg.Connection
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    payment = await till.paid()
    assert money(payment) == (2_599, 500, 2_099)
    assert payment["promotions"] == [
        {"campaign_id": campaign_id, "name": "满20减5", "discount": 500, "funding": FUNDING}
    ]
    assert stack.simulators.trade_of(payment)["amount"] == 2_099, "the customer pays the rest"
    assert payment_of(await till.get(payment["id"])) == payment
    assert (await till.list(limit=1)).json()["data"] == [payment]
    rows = await booked(database, payment)
    assert rows["discount", "sponsor_receivable:bank"] == 350
    assert rows["discount", "merchant_promotion:mer_"] == 150
    assert await manager.budget(campaign_id) == (500, 0, 9_500)
    detail = (await manager.client.get(f"/admin/v1/payments/{payment['id']}")).json()
    assert [(row["campaign_id"], row["reason"]) for row in detail["pricing"]] == [(campaign_id, "applied")]


async def test_a_payment_below_the_threshold_is_charged_in_full(till: Till, manager: Manager) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    payment = await till.paid(amount=1_999)
    assert (money(payment), payment["promotions"]) == ((1_999, 0, 1_999), [])
    assert await manager.budget(campaign_id) == (0, 0, 10_000)
    detail = (await manager.client.get(f"/admin/v1/payments/{payment['id']}")).json()
    assert [row["reason"] for row in detail["pricing"]] == ["below_spend"]


async def test_fifty_requests_for_one_order_take_one_discount(
    till: Till, manager: Manager, database: asyncpg.Connection
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    order = new_order()
    payments = [payment_of(answer, 201) for answer in await asyncio.gather(*[till.pay(order) for _ in range(50)])]
    assert {payment["id"] for payment in payments} == {payments[0]["id"]}
    assert money(payments[0]) == (2_599, 500, 2_099)
    assert await manager.budget(campaign_id) == (500, 0, 9_500)
    assert await database.fetchval("SELECT count(*) FROM redemptions WHERE campaign_id = $1", campaign_id) == 1


async def test_a_budget_is_given_away_to_the_last_fen_and_not_one_more(till: Till, manager: Manager) -> None:
    campaign_id = await manager.start(limits={"budget": 1_600})
    payments = await asyncio.gather(*[till.paid() for _ in range(12)])
    assert Counter(payment["discount"] for payment in payments) == {500: 3, 0: 9}
    assert await manager.budget(campaign_id) == (1_500, 0, 100)


async def test_a_campaign_can_have_payments_declined_once_its_budget_is_gone(till: Till, manager: Manager) -> None:
    await manager.start(limits={"budget": 700}, when_exhausted="decline")
    assert (await till.paid())["discount"] == 500
    refused = await till.taken()
    assert (refused["status"], refused["failure"]["code"]) == ("failed", "discount_exhausted")
    assert not refused["failure"]["retryable"], "the next one meets the same empty budget"
    assert (money(refused), refused["promotions"]) == ((2_599, 0, 2_599), [])
    assert (await till.paid(amount=1_000))["discount"] == 0, "it has no claim to the discount, and goes through"


async def test_another_price_than_the_expected_one_is_refused_before_anything_is_charged(
    stack: GatewayStack, till: Till, manager: Manager
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    refused = await till.taken(expected_payable=2_599)
    assert (refused["status"], refused["failure"]["code"]) == ("failed", "price_changed")
    assert (money(refused), refused["promotions"]) == ((2_599, 0, 2_599), [])
    assert (await till.paid(expected_payable=2_099))["discount"] == 500
    assert await manager.budget(campaign_id) == (500, 0, 9_500)


async def test_a_customer_has_no_more_than_his_share_and_somebody_unknown_has_none(
    till: Till, manager: Manager
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000, "per_customer": {"day": 2}})
    assert (await till.paid())["discount"] == 0, "nobody says who it is"
    customer = {"id": f"c-{campaign_id[-8:]}"}
    taken = await asyncio.gather(*[till.paid(customer=customer) for _ in range(6)])
    assert Counter(payment["discount"] for payment in taken) == {500: 2, 0: 4}
    assert (await till.paid(customer={"id": "somebody else"}))["discount"] == 500
    assert await manager.budget(campaign_id) == (1_500, 0, 8_500)


@pytest.mark.parametrize("wallet", ["wechat", "alipay", "unionpay"])
async def test_a_payment_that_fails_gives_back_all_that_it_took(till: Till, manager: Manager, wallet: str) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000, "count": 9, "per_customer": {"lifetime": 1}})
    customer = {"id": f"c-{campaign_id[-8:]}"}
    failed = await till.taken(wallet, "9001", customer=customer)
    assert (failed["status"], failed["discount"]) == ("failed", 500), "what it would have been"
    assert await manager.budget(campaign_id) == (0, 0, 10_000)
    assert (await till.paid(wallet, customer=customer))["discount"] == 500, "he has not had his one yet"
    assert await manager.budget(campaign_id) == (500, 0, 9_500)


async def test_a_cancelled_payment_gives_back_all_that_it_took(
    till: Till, manager: Manager, database: asyncpg.Connection
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000, "per_customer": {"lifetime": 1}})
    customer = {"id": f"c-{campaign_id[-8:]}"}
    payment = await till.paid("unionpay", customer=customer)
    assert payment["discount"] == 500
    await till.cancel(payment["id"])
    assert (await till.settled(payment["id"], {"reversed"}))["discount"] == 500
    assert await manager.budget(campaign_id) == (0, 0, 10_000)
    assert await owed(database, payment) == {}
    again = await till.paid("unionpay", customer=customer)
    assert again["discount"] == 500
    orders = await database.fetch("SELECT orders, spent, by_wallet FROM customers WHERE spent = 2099 AND orders = 1")
    assert ('{"unionpay": 1}',) in [(row["by_wallet"],) for row in orders]


async def owed(database: asyncpg.Connection, payment: dict[str, Any]) -> dict[str, int]:
    """What is owed to each account's holder; those at zero are left out."""
    total: Counter[str] = Counter()
    for row in await database.fetch("SELECT debit, credit, amount FROM transfers WHERE payment_id = $1", payment["id"]):
        total[row["debit"]] += row["amount"]
        total[row["credit"]] -= row["amount"]
    return {account: amount for account, amount in total.items() if amount}


async def test_partial_refunds_give_back_to_the_funders_and_the_budget_to_the_fen(
    till: Till, manager: Manager, database: asyncpg.Connection
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    payment = await till.paid("unionpay")
    parts = [await refund(till, payment, amount) for amount in (1_000, 1_000)]
    assert [part["discount_returned"] for part in parts] == [193, 192]
    assert [part["funding"] for part in parts] == [
        [{"sponsor": "bank", "amount": 135}, {"sponsor": "merchant", "amount": 58}],
        [{"sponsor": "bank", "amount": 134}, {"sponsor": "merchant", "amount": 58}],
    ]
    assert await manager.budget(campaign_id) == (115, 0, 9_885)
    await manager.take(campaign_id, "end")
    await refund(till, payment, 599)
    assert await manager.budget(campaign_id) == (0, 0, 10_000), "what comes back after its end is its sponsors'"
    assert await owed(database, payment) == {}


async def test_a_campaign_keeps_what_it_gave_where_its_rule_says_so(till: Till, manager: Manager) -> None:
    kept = await manager.start(
        limits={"budget": 10_000, "per_customer": {"lifetime": 1}},
        on_refund={"budget": "keep", "limits": "return_on_full"},
    )
    customer = {"id": f"c-{kept[-8:]}"}
    payment = await till.paid("unionpay", customer=customer)
    await refund(till, payment, 1_000)
    assert (await till.paid("unionpay", customer=customer))["discount"] == 0, "a part is back, his one is used"
    await refund(till, payment, 1_599)
    assert await manager.budget(kept) == (500, 0, 9_500)
    assert (await till.paid("unionpay", customer=customer))["discount"] == 500, "all is back, and so is his one"


async def test_pausing_editing_and_topping_up_are_felt_by_the_next_payment(
    till: Till, manager: Manager, database_url: str, redis_url: str
) -> None:
    campaign_id = await manager.start(limits={"budget": 500})
    assert [(await till.paid())["discount"] for _ in range(2)] == [500, 0]
    await manager.top_up(campaign_id, 1_500)
    async with PoolView.opened(database_url, redis_url) as view:
        await view.until_right(campaign_id)
    assert (await till.paid())["discount"] == 500
    await manager.take(campaign_id, "pause")
    assert (await till.paid())["discount"] == 0
    await manager.take(campaign_id, "resume")
    await manager.edit(campaign_id, benefit={"type": "amount_off", "tiers": [{"spend": 1000, "off": 300}]})
    assert (await till.paid())["discount"] == 300
    assert await manager.budget(campaign_id) == (1_300, 0, 700)


async def test_a_campaign_changed_in_mid_flight_gives_what_it_gave_or_nothing(
    till: Till, manager: Manager, database: asyncpg.Connection
) -> None:
    campaign_id = await manager.start(limits={"budget": 100_000})
    paying = [asyncio.create_task(till.paid()) for _ in range(40)]
    await asyncio.sleep(0)
    await manager.edit(campaign_id, benefit={"type": "amount_off", "tiers": [{"spend": 1000, "off": 300}]})
    await manager.take(campaign_id, "pause")
    payments = [await each for each in paying]
    assert {payment["discount"] for payment in payments} <= {500, 300, 0}
    given = sum(payment["discount"] for payment in payments)
    assert await manager.budget(campaign_id) == (given, 0, 100_000 - given)
    versions = await database.fetch(
        "SELECT discount, campaign_version FROM redemptions WHERE campaign_id = $1", campaign_id
    )
    assert {tuple(row) for row in versions} <= {(500, 1), (300, 2)}


async def test_funders_can_pay_the_merchants_fee(till: Till, manager: Manager, database: asyncpg.Connection) -> None:
    campaign_id = await manager.start(
        name="手续费减半", benefit={"type": "fee_off", "percent": "50"}, limits={"budget": 1_000}
    )
    payment = await till.paid("unionpay", amount=10_000)
    assert money(payment) == (10_000, 0, 10_000)
    (promotion,) = payment["promotions"]
    assert (promotion["discount"], promotion["fee_off"]) == (0, 19), "half of 38 fen"
    assert promotion["funding"] == [{"sponsor": "bank", "amount": 13}, {"sponsor": "merchant", "amount": 6}]
    rows = await booked(database, payment)
    assert (rows["fee_off", "sponsor_receivable:bank"], rows["fee_off", "merchant_promotion:mer_"]) == (13, 6)
    assert await manager.budget(campaign_id) == (19, 0, 981)
    parts = [await refund(till, payment, amount) for amount in (3_333, 6_667)]
    assert [part["fee_returned"] for part in parts] == [12, 26]
    assert [part["funding"] for part in parts] == [[], []], "no discount went back"
    assert await manager.budget(campaign_id) == (0, 0, 1_000)
    assert await owed(database, payment) == {}


@pytest.mark.parametrize("wallet", ["wechat", "alipay", "unionpay"])
async def test_a_capture_that_the_worker_finds_books_its_funders_too(
    till: Till, manager: Manager, database: asyncpg.Connection, wallet: str
) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    unknown = await till.taken(wallet, "9008", wait_s=0)
    assert unknown["status"] == "processing"
    assert (await manager.budget(campaign_id))[2] == 9_500, "an unknown outcome holds its discount"
    paid = await till.settled(unknown["id"])
    assert (paid["status"], paid["promotions"]) == ("succeeded", unknown["promotions"])
    rows = await booked(database, paid)
    assert (rows["discount", "sponsor_receivable:bank"], rows["discount", "merchant_promotion:mer_"]) == (350, 150)
    assert await manager.budget(campaign_id) == (500, 0, 9_500)


async def test_money_that_comes_too_late_has_no_discount(
    stack: GatewayStack, till: Till, manager: Manager, database: asyncpg.Connection
) -> None:
    campaign_id = await manager.start(limits={"budget": 500})
    stack.simulators.set_faults("wechat", {"kind": "late_order", "after_s": 6, "times": 1})
    try:
        lost = await till.taken("wechat", wait_s=1)
    finally:
        stack.simulators.clear_faults()
    assert (lost["status"], lost["discount"]) == ("processing", 500)
    await database.execute("UPDATE payments SET expires_at = now() WHERE id = $1", lost["id"])

    async def late_captures() -> list[tuple[int, str]]:
        """The worker is told to look all the time."""
        await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", lost["id"])
        found = payment_of(await till.get(lost["id"]))
        return [(each["amount"], each["status"]) for each in found["late_captures"]]

    async def is_given_up() -> bool:
        await late_captures()
        return bool(payment_of(await till.get(lost["id"]))["status"] == "failed")

    async def is_returned() -> bool:
        return await late_captures() == [(2_099, "refunded")]

    await eventually(is_given_up)
    assert await manager.budget(campaign_id) == (0, 0, 500)
    assert (await till.paid())["discount"] == 500, "somebody else has it now"
    await eventually(is_returned)
    assert await manager.budget(campaign_id) == (500, 0, 0)
    assert await owed(database, lost) == {}
