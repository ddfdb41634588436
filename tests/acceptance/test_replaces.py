"""`replaces` and `expected_payable`: what is refused before anything is charged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gateway.kernel.ids import new_id
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def ordinary_channels(stack: GatewayStack) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    stack.simulators.clear_faults()


async def test_the_expected_price_is_charged(till: Till) -> None:
    assert (await till.taken(amount=100, expected_payable=100))["status"] == "succeeded"


@pytest.mark.parametrize("expected", [0, 99, 101])
async def test_any_other_price_is_refused_before_anything_is_charged(
    stack: GatewayStack, till: Till, expected: int
) -> None:
    before = len(stack.simulators.trades("wechat"))
    payment = await till.taken(amount=100, expected_payable=expected)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "price_changed")
    assert payment["failure"]["retryable"] is True
    assert (payment["channel"], payment["channel_trade_no"]) == (None, None)
    assert len(stack.simulators.trades("wechat")) == before


async def test_a_code_of_no_wallet_of_ours_fails_without_a_channel(till: Till) -> None:
    payment = await till.taken(auth_code="2891234567890612345")
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "wallet_unsupported")
    assert (payment["wallet"], payment["channel"]) == (None, None)


async def test_a_payment_that_replaces_a_failed_one_is_charged_and_names_it(till: Till) -> None:
    failed = await till.taken(magic="9002")
    payment = await till.taken(replaces=failed["id"])
    assert (payment["status"], payment["replaces"]) == ("succeeded", failed["id"])


async def test_a_payment_that_replaces_a_paid_one_is_refused_and_nothing_is_charged(
    stack: GatewayStack, till: Till
) -> None:
    paid = await till.paid()
    before = len(stack.simulators.trades("wechat"))
    payment = await till.taken(replaces=paid["id"])
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "replaced_payment_paid")
    assert len(stack.simulators.trades("wechat")) == before


async def test_a_payment_that_replaces_a_reversed_one_is_charged(till: Till) -> None:
    paid = await till.paid("alipay")
    assert payment_of(await till.cancel(paid["id"]))["status"] == "reversed"
    assert (await till.taken(replaces=paid["id"]))["status"] == "succeeded"


async def test_a_payment_that_replaces_an_unresolved_one_waits_for_its_end(stack: GatewayStack, till: Till) -> None:
    unresolved = await till.taken(magic="9003", wait_s=1)
    payment = await till.taken(replaces=unresolved["id"])
    assert payment["failure"]["code"] == "replaced_payment_paid"
    unresolved = await till.taken("unionpay", "9014", wait_s=1)
    payment = await till.taken(replaces=unresolved["id"])
    assert payment["status"] == "succeeded"


@pytest.mark.parametrize("wait_s", [0, 1])
async def test_a_replaced_payment_that_stays_unresolved_is_a_conflict_that_binds_nothing(
    stack: GatewayStack, till: Till, wait_s: int
) -> None:
    unresolved = await till.taken(magic="9004", wait_s=1)
    order = new_order(replaces=unresolved["id"])
    answer = await till.pay(order, wait_s=wait_s)
    error_of(answer, 409, "replaced_payment_unresolved", "replaces")
    assert int(answer.headers["retry-after"]) > 0
    assert (await till.list(merchant_order_no=order["merchant_order_no"])).json()["data"] == []
    await till.cancel(unresolved["id"])
    assert payment_of(await till.pay(order), 201)["status"] == "succeeded"


async def test_a_replaced_payment_that_is_not_there_is_named(stack: GatewayStack, till: Till) -> None:
    error_of(await till.pay(new_order(replaces=new_id("pay"))), 404, "not_found", "replaces")
    async with stack.till(stack.new_shop()) as stranger:
        theirs = await stranger.paid()
    error_of(await till.pay(new_order(replaces=theirs["id"])), 404, "not_found", "replaces")


async def test_a_payment_is_replaced_once_and_the_next_one_replaces_the_newest(till: Till) -> None:
    first = await till.taken(magic="9001")
    second = await till.taken(magic="9001", replaces=first["id"])
    answer = await till.pay(new_order(replaces=first["id"]))
    assert second["id"] in error_of(answer, 409, "already_replaced", "replaces")["message"]
    assert (await till.taken(replaces=second["id"]))["status"] == "succeeded"


async def test_of_two_payments_that_replace_the_same_one_at_once_only_one_is_charged(till: Till) -> None:
    failed = await till.taken(magic="9001")
    answers = await asyncio.gather(*[till.pay(new_order(replaces=failed["id"])) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_replacement_that_was_never_charged_stands_in_nobodys_way(till: Till) -> None:
    failed = await till.taken(magic="9001")
    refused = await till.taken(replaces=failed["id"], amount=100, expected_payable=99)
    assert refused["failure"]["code"] == "price_changed"
    assert (await till.taken(replaces=failed["id"]))["status"] == "succeeded"
