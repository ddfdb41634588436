"""Discounts that look at who pays: what he did before, with which wallet and bank, and the coupons that he holds."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from gateway.kernel.ids import new_ulid
from tests.support.gateway import GatewayStack
from tests.support.manager import Manager, manager
from tests.support.till import Till
from tests.support.waiting import eventually

__all__ = ["manager"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def somebody(**more: str) -> dict[str, str]:
    return {"id": f"c-{new_ulid()}", **more}


async def discount(till: Till, customer: dict[str, str] | None, wallet: str = "unionpay", **changes: Any) -> int:
    """Of a payment that succeeded."""
    found: int = (await till.paid(wallet, customer=customer, **changes))["discount"]
    return found


async def test_a_first_payment_is_the_first_that_was_kept(till: Till, manager: Manager) -> None:
    await manager.start(name="首单立减", condition="customer.first_payment")
    ada = somebody()
    assert (await till.taken("unionpay", "9001", customer=ada))["status"] == "failed"
    first = await till.paid("unionpay", customer=ada)
    assert first["discount"] == 500, "one that failed was none"
    assert await discount(till, ada) == 0
    assert await discount(till, somebody()) == 500
    assert await discount(till, None) == 0, "nobody knows"
    await till.cancel(first["id"])
    await till.settled(first["id"], {"reversed"})
    assert await discount(till, ada) == 0, "his second one stands"


async def test_first_on_a_wallet_and_first_with_a_bank_count_for_themselves(till: Till, manager: Manager) -> None:
    await manager.start(
        name="wallet",
        condition="customer.orders_on_wallet == 0",
        benefit={"type": "amount_off", "tiers": [{"spend": 1000, "off": 100}]},
        stacking={"group": "wallet"},
    )
    await manager.start(
        name="bank",
        condition="customer.orders_with_bin == 0",
        benefit={"type": "amount_off", "tiers": [{"spend": 1000, "off": 10}]},
        stacking={"group": "bank"},
    )
    ada = somebody(card_bin="622202")
    assert await discount(till, ada) == 110
    assert await discount(till, ada) == 0
    assert await discount(till, ada, "wechat") == 100
    assert await discount(till, ada | {"card_bin": "62148300"}, "wechat") == 10
    assert await discount(till, ada | {"card_bin": "62148301"}, "wechat") == 0, "a bank is six digits"


async def test_a_customer_is_somebody_else_at_another_merchant_unless_they_share_a_realm(
    stack: GatewayStack, till: Till, manager: Manager
) -> None:
    await manager.start(condition="customer.orders < 1")
    ada, shops = somebody(), [stack.new_shop("one"), stack.new_shop("two")]
    assert await discount(till, ada) == 500
    async with stack.till(shops[0]) as one, stack.till(shops[1]) as two:
        assert await discount(one, ada) == 500
        for shop in shops:
            answer = await manager.client.patch(f"/admin/v1/merchants/{shop.id}", json={"customer_realm": "chain"})
            assert answer.status_code == 200, answer.text

        async def is_shared() -> bool:
            bob = somebody()
            return [await discount(each, bob) for each in (one, two)] == [500, 0]

        await eventually(is_shared)


async def test_a_random_discount_is_drawn_once_and_lies_within_its_bounds(till: Till, manager: Manager) -> None:
    campaign_id = await manager.start(
        benefit={"type": "random_off", "spend": 1801, "min": 100, "max": 900, "mean": 400}, limits={"budget": 100_000}
    )
    ada = somebody()
    failed = await till.taken("unionpay", "9001", customer=ada)
    drawn = failed["discount"]
    assert 100 <= drawn <= 900
    assert await discount(till, ada) == drawn, "the same customer asking again draws the same"
    assert await manager.budget(campaign_id) == (drawn, 0, 100_000 - drawn)


async def test_a_code_that_everybody_may_type_is_worth_its_discount(till: Till, manager: Manager) -> None:
    await manager.start(coupon={"code": "SPRING5"}, limits={"budget": 10_000})
    assert [await discount(till, None), await discount(till, None, coupons=["SPRING5"])] == [0, 500]


async def test_the_customers_card_is_stored_as_a_hash(till: Till, database: asyncpg.Connection) -> None:
    payment = await till.paid("unionpay", customer=somebody(card_bin="622202"))
    row = await database.fetchrow("SELECT customer, card_bin FROM payments WHERE id = $1", payment["id"])
    known = await database.fetchrow("SELECT * FROM customers WHERE customer = $1", row["customer"])
    assert (known["orders"], known["spent"], known["by_wallet"]) == (1, 2_599, '{"unionpay": 1}')
    assert known["by_bin"] == f'{{"{row["card_bin"].hex()}": 1}}'
    assert "622202" not in f"{row} {known}"
