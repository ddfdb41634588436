"""`?refresh=true`: the channel is asked before the answer, at most once a second for each payment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.channels import QUICK_RHYTHM
from tests.support.gateway import GatewayStack
from tests.support.till import Till, new_code, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """The worker asks too seldom to be what makes these tests pass."""
    waits = {"after_pending_s": [300], "after_unknown_s": [300], "after_shown_s": [300]}
    return {"rhythm": {**QUICK_RHYTHM, **waits}}


@pytest.fixture(autouse=True)
def ordinary_channels(stack: GatewayStack) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    stack.simulators.clear_faults()


async def test_a_payment_whose_answer_was_lost_is_found_at_once(stack: GatewayStack, till: Till) -> None:
    stack.simulators.set_faults("wechat", {"kind": "reset_mid_answer"})
    payment = await till.taken("wechat", wait_s=1)
    assert payment["status"] == "processing"
    stack.simulators.clear_faults()
    assert payment_of(await till.get(payment["id"]))["status"] == "processing"
    assert payment_of(await till.get(payment["id"], refresh=True))["status"] == "succeeded"


async def test_a_code_that_was_paid_is_found_at_once(stack: GatewayStack, till: Till) -> None:
    stack.simulators.set_faults("wechat", {"kind": "notify", "effect": "drop"})
    payment = payment_of(await till.pay(new_code()), 201)
    stack.simulators.scan("wechat", payment["qr_code"])
    assert payment_of(await till.get(payment["id"], refresh=True))["status"] == "succeeded"


async def test_however_many_ask_the_channel_is_asked_once_a_second(stack: GatewayStack, till: Till) -> None:
    payment = payment_of(await till.pay(new_code()), 201)
    stack.simulators.set_faults("wechat", {"kind": "outage", "calls": ["query"], "probability": 0.0})
    answers = await asyncio.gather(*[till.get(payment["id"], refresh=True) for _ in range(30)])
    assert {payment_of(answer)["status"] for answer in answers} == {"requires_action"}
    asked = stack.simulators.client.get(f"{stack.simulators.base_urls['wechat']}/_simulator/faults").json()
    assert asked["rules"][0]["seen"] in {1, 2}


async def test_a_code_for_which_no_wallet_was_chosen_asks_nobody(till: Till) -> None:
    payment = payment_of(await till.pay(new_code(None)), 201)
    assert payment_of(await till.get(payment["id"], refresh=True)) == payment
