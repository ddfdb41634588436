"""The channels' own pauses between refunds of one payment, in real time: the next one waits and goes out by itself."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.support.gateway import GatewayStack
from tests.support.refunds import refund, settled
from tests.support.till import Till, payment_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.mark.long
async def test_wechat_takes_a_refund_a_minute_alipay_one_in_three_seconds_and_unionpay_at_once(
    stack: GatewayStack, till: Till
) -> None:
    took = dict(zip(("wechat", "alipay", "unionpay"), await asyncio.gather(
        _in_parts(stack, till, "wechat", 2), _in_parts(stack, till, "alipay", 4), _in_parts(stack, till, "unionpay", 4)
    ), strict=True))  # fmt: skip
    assert min(took["wechat"]) >= 60
    assert min(took["alipay"]) >= 3
    assert max(took["unionpay"]) < 3


async def _in_parts(stack: GatewayStack, till: Till, wallet: str, parts: int) -> list[float]:
    """Refund a payment in so many parts at once; the seconds between them in the channel's books."""
    payment = await till.paid(wallet)
    asked = [await refund(till, payment, 100 + number, wait_s=0) for number in range(parts)]
    async with asyncio.timeout(100):
        ended = await asyncio.gather(*[settled(till, found["id"], timeout_s=100) for found in asked])
    assert {found["status"] for found in ended} == {"succeeded"}
    given_back = _given_back(stack, payment)
    assert [row["amount"] for row in given_back] == [100 + number for number in range(parts)], "in their order"
    after = payment_of(await till.get(payment["id"]))
    assert after["amount_refunded"] == sum(row["amount"] for row in given_back)
    times = [datetime.fromisoformat(row["created_at"]) for row in given_back]
    return [(later - sooner).total_seconds() for sooner, later in pairwise(times)]


def _given_back(stack: GatewayStack, payment: dict[str, Any]) -> list[dict[str, Any]]:
    url = stack.simulators.base_urls[payment["wallet"]]
    answer = stack.simulators.client.get(f"{url}/_simulator/refunds", params={"order_no": f"{payment['id'][4:]}A1"})
    found: list[dict[str, Any]] = answer.json()["refunds"]
    return found
