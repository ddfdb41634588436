"""A customer's history that is asked for together with the claim: used while it is fresh, and read once."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from gateway.kernel.ids import new_id
from gateway.payments import pricing
from gateway.payments.payment import PaymentOrder
from gateway.payments.pricing import Sought
from gateway.payments.schemas import PaymentRequest
from promotions.campaigns.fields import condition
from promotions.customers.reading import Read
from promotions.facts import History
from routing.channels.base import Wallet
from tests.support.campaigns import campaign, off
from tests.support.till import new_order
from tests.support.waiting import until
from tests.unit.payments.test_pricing import VAULT, Shop


class Reading(Shop):
    """A shop with one campaign for first orders, and histories that a test answers."""

    def __init__(self) -> None:
        super().__init__(campaign("cmp_first", off(500), condition=condition("customer.orders == 0")))
        self.asked: list[asyncio.Future[Read]] = []

    def begin(self, row: Any) -> asyncio.Future[Read]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]

    async def seek(self, **named: Any) -> Sought:
        body = new_order(amount=10_000) | {"customer": {"id": "cus_1"}, **named}
        request = PaymentRequest.model_validate_json(orjson.dumps(body))
        return await self.pricing.seek(PaymentOrder.of("mer_shop", "x", request, None, VAULT), Wallet.WECHAT)

    def answer(self, orders: int) -> None:
        self.asked[-1].set_result(Read(History(orders=orders), datetime.now(UTC)))


async def test_what_was_sought_is_what_campaigns_look_at_and_is_read_once() -> None:
    shop = Reading()
    sought = await shop.seek()
    shop.answer(orders=3)
    basket = await shop.pricing.open("pay_1", sought)
    assert basket.facts.history is not None
    assert basket.facts.history.orders == 3
    assert len(shop.asked) == 1


async def test_what_was_sought_long_ago_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Reading()
    sought = await shop.seek()
    shop.answer(orders=0)
    monkeypatch.setattr(pricing, "_SOUGHT_S_MAX", 0.0)
    opening = asyncio.create_task(shop.pricing.open("pay_1", sought))
    await until(lambda: len(shop.asked) == 2)
    shop.answer(orders=1)
    basket = await opening
    assert basket.facts.history is not None
    assert basket.facts.history.orders == 1


async def test_an_order_that_replaces_a_payment_reads_what_was_given_back_at_the_end_of_that_one() -> None:
    shop = Reading()
    sought = await shop.seek(replaces=new_id("pay"))
    assert shop.asked == []
    opening = asyncio.create_task(shop.pricing.open("pay_1", sought))
    await until(lambda: len(shop.asked) == 1)
    shop.answer(orders=0)
    history = (await opening).facts.history
    assert history is not None
    assert history.orders == 0


async def test_a_reading_that_failed_fails_the_order_and_one_that_nobody_wanted_says_nothing() -> None:
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
    shop = Reading()
    wanted, unwanted = await shop.seek(), await shop.seek()
    for reading in shop.asked:
        reading.set_exception(OSError("away"))
    with pytest.raises(OSError, match="away"):
        await shop.pricing.open("pay_1", wanted)
    del unwanted, wanted, reading
    shop.asked.clear()
    await asyncio.sleep(0)
    gc.collect()
    assert said == []
