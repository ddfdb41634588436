"""Codes that hold a discount while they are on display: until they are paid, shut or over, and never too many."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.support.cashier import Customer, made_code
from tests.support.discounts import PoolView
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.till import Till, new_code, payment_of

__all__ = ["manager"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    bounds = {"CUSTOMER": "2", "MERCHANT": "6"}
    return {
        "callbacks": True,
        "settings": {f"MASHANG_CODES_HOLDING_PER_{whose}_MAX": most for whose, most in bounds.items()},
    }


async def shown(till: Till, wallet: str | None = "wechat", **changes: Any) -> dict[str, Any]:
    """A code on display."""
    payment = payment_of(await till.pay(new_code(wallet, **changes)), 201)
    assert payment["status"] == "requires_action", payment
    return payment


async def test_a_code_holds_its_discount_until_it_is_paid(stack: GatewayStack, till: Till, manager: Manager) -> None:
    campaign_id = await manager.start(limits={"budget": 10_000})
    payment = await shown(till)
    assert (payment["discount"], payment["payable"]) == (500, 2_099)
    assert await manager.budget(campaign_id) == (0, 500, 9_500)
    stack.simulators.scan("wechat", payment["qr_code"])
    paid = await till.settled(payment["id"], {"succeeded"})
    assert paid["promotions"] == payment["promotions"]
    assert stack.simulators.trade_of(paid)["amount"] == 2_099
    assert await manager.budget(campaign_id) == (500, 0, 9_500)


@pytest.mark.parametrize("wallet", ["wechat", None])
async def test_a_code_that_is_shut_gives_its_discount_back(
    till: Till, manager: Manager, database_url: str, redis_url: str, wallet: str | None
) -> None:
    campaign_id = await manager.start(limits={"budget": 500})
    payment = await shown(till, wallet)
    assert payment["discount"] == 500
    assert (await till.paid())["discount"] == 0, "all that there is is held"
    await till.cancel(payment["id"])
    closed = await till.settled(payment["id"], {"closed", "reversed"})
    assert (closed["discount"], closed["promotions"]) == (500, payment["promotions"])
    assert await manager.budget(campaign_id) == (0, 0, 500)
    async with PoolView.opened(database_url, redis_url) as view:
        await view.until_right(campaign_id)  # the pool is told just after the commit
    assert (await till.paid())["discount"] == 500


async def test_a_code_for_any_wallet_is_priced_before_a_wallet_is_known(
    stack: GatewayStack, till: Till, manager: Manager
) -> None:
    everywhere = await manager.start(limits={"budget": 10_000})
    await manager.start(
        name="only one wallet",
        condition="payment.wallet == 'unionpay'",
        benefit={"type": "amount_off", "tiers": [{"spend": 1000, "off": 900}]},
    )
    payment = await shown(till, None)
    assert [promotion["campaign_id"] for promotion in payment["promotions"]] == [everywhere]
    async with Customer(stack, "unionpay") as visitor:
        page = await visitor.open(payment["qr_code"])
        order = await visitor.ready(page)
        await visitor.confirm(order)
    paid = await till.settled(payment["id"], {"succeeded"})
    assert (paid["wallet"], paid["discount"], paid["promotions"]) == ("unionpay", 500, payment["promotions"])


async def test_a_static_code_takes_its_discount_when_its_customer_pays(
    stack: GatewayStack, till: Till, manager: Manager
) -> None:
    campaign_id = await manager.start(condition="known(payment.code)", limits={"budget": 10_000})
    code = await made_code(till, name="wall")
    async with Customer(stack, "wechat") as visitor:
        page = await visitor.open(code["url"])
        order = await visitor.ready(page, 2_599)
        assert (order["amount"], order["discount"], order["payable"]) == (2_599, 500, 2_099)
        await visitor.confirm(order)
        await visitor.until(page, "paid")
    (payment,) = (await till.list(limit=1)).json()["data"]
    assert (payment["code_id"], payment["discount"]) == (code["id"], 500)
    assert await manager.budget(campaign_id) == (500, 0, 9_500)


async def test_a_payer_is_the_customer_of_a_static_code(stack: GatewayStack, till: Till, manager: Manager) -> None:
    """聚合收款立减: what the wallet says of who pays is counted, at every code, and nobody else for it."""
    random = {"type": "random_off", "spend": 200, "min": 1, "max": 500, "mean": 120, "percent_max": 5}
    await manager.start(
        benefit=random,
        condition="known(payment.code)",
        limits={"per_customer": {"lifetime": 2}, "per_code": {"day": 9}},
    )
    codes = [await made_code(till, name=name) for name in ("wall", "door")]
    discounts = []
    async with Customer(stack, "wechat") as payer, Customer(stack, "wechat") as other:
        for visitor, code in ((payer, 0), (payer, 1), (payer, 0), (other, 0)):
            page = await visitor.open(codes[code]["url"])
            order = await visitor.ready(page, 5_000)
            discounts.append(order["discount"])
            await visitor.confirm(order)
            await visitor.until(page, "paid")
    assert [discount > 0 for discount in discounts] == [True, True, False, True]
    assert max(discounts) <= 250


async def test_two_phones_that_tap_at_once_pay_one_sale(stack: GatewayStack, till: Till) -> None:
    code = await made_code(till, name="wall")
    async with Customer(stack, "wechat") as first, Customer(stack, "alipay") as second:
        page = await first.open(code["url"])
        pages = (page, await second.open(f"{code['url']}?sale={page.sale}"))
        answers = await asyncio.gather(first.pay(pages[0], 4_321), second.pay(pages[1], 4_321))
    assert {answer["status"] for answer in answers} <= {"ready", "busy"}
    made = [each for each in (await till.list(limit=5)).json()["data"] if each["amount"] == 4_321]
    assert len(made) == 1


async def test_a_customer_holds_few_discounts_by_codes_that_he_does_not_pay(
    stack: GatewayStack, till: Till, manager: Manager
) -> None:
    campaign_id = await manager.start(limits={"budget": 100_000})
    customer = {"id": f"c-{campaign_id[-8:]}"}
    codes = [await shown(till, customer=customer) for _ in range(3)]
    assert [code["discount"] for code in codes] == [500, 500, 0]
    detail = (await manager.client.get(f"/admin/v1/payments/{codes[2]['id']}")).json()
    assert [row["reason"] for row in detail["pricing"]] == ["too_many_codes"]
    assert (await till.paid(customer=customer))["discount"] == 500, "a bar code holds nothing for long"
    stack.simulators.scan("wechat", codes[0]["qr_code"])
    await till.settled(codes[0]["id"], {"succeeded"})
    assert (await shown(till, customer=customer))["discount"] == 500, "one was paid"


async def test_a_merchant_holds_no_more_than_its_share(stack: GatewayStack, manager: Manager) -> None:
    await manager.start(limits={"budget": 100_000})
    async with stack.till(stack.new_shop()) as till:
        codes = await asyncio.gather(*[shown(till) for _ in range(9)])
    assert Counter(code["discount"] for code in codes) == {500: 6, 0: 3}


async def test_what_is_nearly_gone_is_held_by_no_code_for_long(till: Till, manager: Manager) -> None:
    campaign_id = await manager.start(limits={"budget": 5_500})
    while (await manager.budget(campaign_id))[2] > 500:
        assert (await till.paid())["discount"] == 500
    patient = await shown(till, expires_in=600)
    assert patient["discount"] == 0
    detail = (await manager.client.get(f"/admin/v1/payments/{patient['id']}")).json()
    assert [row["reason"] for row in detail["pricing"]] == ["held_too_long"]
    assert (await shown(till, expires_in=300))["discount"] == 500
