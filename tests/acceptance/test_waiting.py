"""`Prefer: wait=N`: the answer in time, the end later."""

from __future__ import annotations

import time

import pytest

from tests.support.gateway import GatewayStack
from tests.support.till import WALLETS, Till, error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_till_that_waits_a_second_is_answered_processing_and_reads_the_end_later(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    began = time.monotonic()
    payment = await till.taken(wallet, magic="9003", wait_s=1)
    assert time.monotonic() - began < 2.5
    assert (payment["status"], payment["completed_at"], payment["failure"]) == ("processing", None, None)
    assert (await till.settled(payment["id"], timeout_s=8))["status"] == "succeeded"
    assert stack.simulators.trade_of(payment)["status"] == "captured"


async def test_a_till_that_waits_long_enough_for_the_pin_gets_the_end_itself(till: Till) -> None:
    payment = await till.taken("wechat", magic="9003", wait_s=10)
    assert payment["status"] == "succeeded"


async def test_a_till_that_does_not_wait_at_all_gets_a_payment_and_never_a_503_that_was_bound(till: Till) -> None:
    for _ in range(20):
        order = new_order()
        payment = payment_of(await till.pay(order, wait_s=0), 201)
        assert payment["status"] in {"processing", "succeeded"}
        assert (await till.settled(payment["id"]))["status"] == "succeeded"


async def test_the_same_request_again_while_it_is_processing_waits_for_the_end(till: Till) -> None:
    order = new_order(magic="9003")
    first = payment_of(await till.pay(order, wait_s=1), 201)
    assert first["status"] == "processing"
    again = await till.pay(order, wait_s=10)
    assert payment_of(again, 201)["status"] == "succeeded"
    assert again.json()["id"] == first["id"]
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("prefer", ["wait=ten", "wait=", "wait=-1", "wait=1.5", "wait=99999", "respond-async, wait=x"])
async def test_a_wait_that_is_no_number_is_refused_by_name(till: Till, prefer: str) -> None:
    answer = await till.pay(new_order(), headers={"Prefer": prefer})
    error_of(answer, 400, "invalid_header", "Prefer")


@pytest.mark.parametrize("prefer", ["respond-async", "handling=lenient; wait=2", "respond-async, wait=2", "wait=9999"])
async def test_other_preferences_are_left_alone_and_a_longer_wait_is_shortened(till: Till, prefer: str) -> None:
    assert payment_of(await till.pay(new_order(), headers={"Prefer": prefer}), 201)["status"] == "succeeded"
