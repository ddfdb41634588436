"""Quotes as a till asks for them: the payment's own price, why or why not, and nothing taken from any budget."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from gateway.merchants.store import Scope
from gateway.quotes.schemas import QuoteObject
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager
from tests.support.ready import write_ready_file
from tests.support.till import Till, auth_code, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
SALE = {"amount": 2599, "currency": "CNY", "wallet": "wechat"}


@pytest_asyncio.fixture(loop_scope="module")
async def manager(stack: GatewayStack) -> AsyncIterator[Manager]:
    """Whatever a test starts is over with it."""
    async with stack.admin() as client:
        found = Manager(stack, client)
        yield found
        for campaign in (await client.get("/admin/v1/campaigns", params={"limit": 100})).json()["data"]:
            if campaign["status"] != "ended":
                await found.take(campaign["id"], "end")


async def quoted(till: Till, **changes: Any) -> dict[str, Any]:
    answer = await till.client.post("/v1/quotes", json=SALE | changes)
    assert answer.status_code == 200, answer.text
    QuoteObject.model_validate_json(answer.content)
    found: dict[str, Any] = answer.json()
    return found


def reasons(quote: dict[str, Any]) -> dict[str, str]:
    return {each["campaign_id"]: each["reason"] for each in quote["considered"]}


async def test_without_campaigns_the_price_is_the_amount(till: Till) -> None:
    quote = await quoted(till)
    assert (quote["amount"], quote["discount"], quote["payable"]) == (2599, 0, 2599)
    assert (quote["promotions"], quote["considered"], quote["failure"]) == ([], [], None)


async def test_a_payment_costs_what_was_quoted_and_shows_the_same_promotions(till: Till, manager: Manager) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    quote = await quoted(till)
    assert (quote["discount"], quote["payable"]) == (500, 2_099)
    assert reasons(quote) == {campaign_id: "applied"}
    assert await manager.budget(campaign_id) == (0, 0, 10_000), "a quote takes nothing"
    payment = await till.paid(expected_payable=quote["payable"])
    assert payment["promotions"] == quote["promotions"]


async def test_every_campaign_says_why_not(till: Till, manager: Manager) -> None:
    better = await manager.start()
    worse = await manager.start(benefit={"type": "percent_off", "percent": "10"})
    dear = await manager.start(benefit={"type": "amount_off", "tiers": [{"spend": 5000, "off": 900}]})
    alipay = await manager.start(condition="payment.wallet == 'alipay'")
    daily = await manager.start(limits={"per_customer": {"day": 1}})
    other = await manager.start(condition="payment.merchant_id == 'mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KA'")
    quote = await quoted(till)
    assert reasons(quote) == {
        better: "applied",
        worse: "better_offer",
        dear: "below_spend",
        alipay: "condition",
        daily: "customer_unknown",
    }, "and nothing is told of other merchants' campaigns"
    assert other not in reasons(quote)
    details = {each["campaign_id"]: each["detail"] for each in quote["considered"]}
    assert details[alipay] == "“payment.wallet == 'alipay'” is not true: payment.wallet is wechat."
    assert details[dear] == "It starts at ¥50.00."


async def test_a_random_discount_is_quoted_as_it_will_be_paid(till: Till, manager: Manager) -> None:
    await manager.start(benefit={"type": "random_off", "spend": 1000, "min": 100, "max": 900, "mean": 300})
    customer = {"id": "c-draws"}
    first = await quoted(till, customer=customer)
    assert first["discount"] > 0
    assert [(await quoted(till, customer=customer))["payable"] for _ in range(3)] == 3 * [first["payable"]]
    payment = await till.paid(customer=customer)
    assert payment["payable"] == first["payable"]
    again = await quoted(till, customer=customer)
    assert again["payable"] == (await till.paid(customer=customer))["payable"]


async def test_a_budget_that_is_gone_is_not_quoted(till: Till, manager: Manager) -> None:
    small = await manager.start(limits={"budget": 700})
    await till.paid()
    quote = await quoted(till)
    assert (quote["payable"], reasons(quote)) == (2599, {small: "budget_exhausted"})
    next_best = await manager.start(benefit={"type": "amount_off", "tiers": [{"spend": 1000, "off": 300}]})
    quote = await quoted(till)
    assert (quote["payable"], reasons(quote)) == (2299, {small: "budget_exhausted", next_best: "applied"})


async def test_a_campaign_that_refuses_payments_without_it_says_so(till: Till, manager: Manager) -> None:
    await manager.start(limits={"budget": 500}, when_exhausted="decline")
    await till.paid()
    quote = await quoted(till)
    assert quote["failure"]["code"] == "discount_exhausted"
    payment = await till.taken()
    assert payment["failure"] == quote["failure"]


async def test_the_fee_of_the_account_is_what_a_fee_campaign_pays_of(till: Till, manager: Manager) -> None:
    await manager.start(benefit={"type": "fee_off", "percent": "50"})
    quote = await quoted(till, amount=100_000)
    assert quote["payable"] == 100_000
    [promotion] = quote["promotions"]
    assert promotion["fee_off"] > 0
    assert (await till.paid(amount=100_000))["promotions"] == quote["promotions"]


async def test_the_wallet_is_read_from_the_code_too(till: Till, manager: Manager) -> None:
    await manager.start(condition="payment.wallet == 'alipay'")
    quote = await quoted(till, wallet=None, auth_code=auth_code("alipay"))
    assert (quote["wallet"], quote["discount"]) == ("alipay", 500)
    quote = await quoted(till, wallet=None)
    assert (quote["wallet"], quote["discount"]) == (None, 0)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": "2599"}, "amount"),
        ({"currency": None}, "currency"),
        ({"merchant_order_no": "POS7-1"}, "merchant_order_no"),
        ({"wallet": "alipay", "auth_code": "134567890123456789"}, "wallet"),
        ({"auth_code": "994567890123456789", "wallet": None}, "auth_code"),
        ({"auth_code": "134567890123456789", "method": "qrcode"}, "auth_code"),
        ({"customer": {"card_bin": "62"}}, "customer.card_bin"),
        ({"expires_in": 10}, "expires_in"),
    ],
)
async def test_bad_input_is_refused_by_name(till: Till, changes: dict[str, Any], param: str) -> None:
    answer = await till.client.post("/v1/quotes", json=SALE | changes)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert "345678901234" not in answer.text, "a payment code is never quoted"


async def test_a_key_may_quote_that_may_read_or_pay(stack: GatewayStack) -> None:
    for scopes, status in (({Scope.READ}, 200), ({Scope.PAY}, 200), ({Scope.REFUND}, 403)):
        key = stack.new_key(stack.shop, frozenset(scopes))
        async with Till(stack.url, key.secret) as till:
            answer = await till.client.post("/v1/quotes", json=SALE)
            assert answer.status_code == status, answer.text


async def test_a_quote_reads_what_a_customer_has_had(till: Till, manager: Manager) -> None:
    campaign_id = await manager.start(limits={"per_customer": {"day": 1}})
    customer = {"id": "c-once"}
    assert reasons(await quoted(till, customer=customer)) == {campaign_id: "applied"}
    payment_of(await till.get((await till.paid(customer=customer))["id"]))
    assert reasons(await quoted(till, customer=customer)) == {campaign_id: "limit_reached"}


async def test_the_command_prints_a_line_for_each_campaign(
    stack: GatewayStack, manager: Manager, tmp_path: Path
) -> None:
    await manager.start()
    await manager.start(name="weekends", condition="payment.weekday in [6, 7] && payment.wallet == 'alipay'")
    state = write_ready_file(tmp_path, stack)
    shown, said = await asyncio.to_thread(mashang_quote, state, "--amount", "2599", "--wallet", "wechat")
    assert "The customer pays ¥20.99 of ¥25.99, ¥5.00 off." in said
    assert "bank ¥3.50, merchant ¥1.50" in shown
    assert "payment.wallet == 'alipay'" in shown or "payment.weekday in [6, 7]" in shown
    answer = await asyncio.to_thread(mashang_quote, state, "--customer", "c-1", "--json")
    assert orjson.loads(answer[0])["considered"][0]["reason"] == "applied"


def mashang_quote(state: Path, *arguments: str) -> tuple[str, str]:
    """What `mashang quote` prints, and what it says beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "quote", *arguments, "--state", str(state)],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "COLUMNS": "200"},
    )
    return done.stdout, done.stderr
