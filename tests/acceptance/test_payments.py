"""A payment over HTTP: on each wallet, declined, repeated, contradicted."""

from __future__ import annotations

import pytest

from tests.support.gateway import GatewayStack
from tests.support.till import WALLETS, Till, new_order, payment_of


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_payment_on_each_wallet_succeeds_and_has_exactly_the_documented_shape(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    order = new_order(wallet, description="latte", store_id="s-1", terminal_id="t-1", operator_id="o-1")
    payment = payment_of(await till.pay(order), 201)

    assert payment["status"] == "succeeded"
    assert payment["id"].startswith("pay_")
    assert payment["object"] == "payment"
    assert payment["merchant_order_no"] == order["merchant_order_no"]
    assert (payment["amount"], payment["discount"], payment["payable"]) == (2599, 0, 2599)
    assert payment["amount_refunded"] == 0
    assert payment["currency"] == "CNY"
    assert payment["method"] == "barcode"
    assert payment["wallet"] == wallet
    assert payment["channel"] == f"{wallet}_direct"
    assert payment["failure"] is None
    assert payment["reversal"] is None
    assert payment["late_captures"] == []
    assert (payment["store_id"], payment["terminal_id"], payment["operator_id"]) == ("s-1", "t-1", "o-1")
    assert payment_of(await till.get(payment["id"])) == payment

    trade = stack.simulators.trade_of(payment)
    assert (trade["status"], trade["amount"], trade["refunded"]) == ("captured", 2599, 0)
    assert trade["trade_no"] == payment["channel_trade_no"]
