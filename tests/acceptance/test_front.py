"""A shop whose only contract is UnionPay's bar-code front: seven wallets' bar codes, codes on display, money back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import asyncpg
import pytest

from tests.support.channels import FRONT, Simulators, start_simulators
from tests.support.gateway import GatewayStack
from tests.support.refunds import refund
from tests.support.till import CODES, WALLETS, Till, auth_code, error_of, new_code, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT: Final = "unionpay_front"
OTHERS: Final = {"digital_rmb": ("01", 19), "jd": ("18", 18), "best_pay": ("51", 18), "qq": ("91", 18)}


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """The front is the gateway's only account."""
    folder = tmp_path_factory.mktemp("front")
    with start_simulators(folder / "books", folder / "keys", front=True) as running:
        yield replace(running, accounts=[each for each in running.accounts if each.id == ACCOUNT])


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    return {"callbacks": True}


@pytest.fixture(autouse=True)
def ordinary_channels(stack: GatewayStack) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    stack.simulators.clear_faults()


def order_of(wallet: str, magic: str | None = None) -> dict[str, Any]:
    """A new order with a bar code of any wallet."""
    if wallet in CODES:
        return new_order(wallet, magic)
    prefix, length = OTHERS[wallet]
    return new_order(auth_code=prefix + auth_code("wechat", magic)[2:].rjust(length - 2, "7"))


async def told_of(stack: GatewayStack, payment: dict[str, Any]) -> list[tuple[str, int]]:
    """What became of the front's notifications of a payment, once none of them waits: status and tries."""
    url = f"{stack.simulators.base_urls[FRONT]}/_simulator/notifications"
    async with asyncio.timeout(10):
        while True:
            answer = stack.simulators.client.get(url, params={"order_no": f"{payment['id'][4:]}A1"})
            found = [(each["status"], each["tries"]) for each in answer.json()["notifications"]]
            if all(status != "waiting" for status, _ in found):
                return found
            await asyncio.sleep(0.05)


async def taken(till: Till, wallet: str, magic: str | None = None) -> dict[str, Any]:
    return payment_of(await till.pay(order_of(wallet, magic)), 201)


@pytest.mark.parametrize("wallet", [*WALLETS, *OTHERS])
async def test_the_bar_code_of_every_wallet_is_paid_and_goes_back(stack: GatewayStack, till: Till, wallet: str) -> None:
    payment = await taken(till, wallet)
    assert (payment["status"], payment["wallet"], payment["channel"]) == ("succeeded", wallet, ACCOUNT)
    trade = stack.simulators.trade_of(payment)
    assert (trade["status"], trade["amount"], trade["trade_no"]) == ("captured", 2_599, payment["channel_trade_no"])
    found = await refund(till, payment)
    assert (found["status"], found["returned_to_customer"]) == ("succeeded", 2_599)
    assert stack.simulators.trade_of(payment)["refunded"] == 2_599


@pytest.mark.parametrize(("magic", "failure"), [("9001", "insufficient_funds"), ("9002", "auth_code_expired")])
async def test_a_refused_bar_code_fails_for_its_reason(till: Till, magic: str, failure: str) -> None:
    payment = await taken(till, "jd", magic)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", failure)


@pytest.mark.parametrize("magic", ["9003", "9005", "9008", "9009"])
async def test_a_bar_code_without_a_good_answer_is_found_paid_once(stack: GatewayStack, till: Till, magic: str) -> None:
    payment = await till.settled((await taken(till, "best_pay", magic))["id"])
    assert payment["status"] == "succeeded"
    assert stack.simulators.trade_of(payment)["amount"] == 2_599


async def test_a_customer_who_never_types_a_pin_pays_nothing(stack: GatewayStack, till: Till) -> None:
    payment = payment_of(await till.pay(order_of("qq", "9004") | {"expires_in": 30}, wait_s=0), 201)
    cancelled = payment_of(await till.cancel(payment["id"], wait_s=15))
    assert cancelled["status"] == "reversed"
    assert stack.simulators.trade_of(payment)["status"] != "captured"


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_code_is_shown_paid_and_told_of(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    payment = payment_of(await till.pay(new_code(wallet)), 201)
    assert (payment["status"], payment["channel"]) == ("requires_action", ACCOUNT)
    stack.simulators.scan(FRONT, payment["qr_code"])
    paid = await till.settled(payment["id"])
    assert (paid["status"], paid["wallet"]) == ("succeeded", wallet)
    assert stack.simulators.trade_of(paid)["trade_no"] == paid["channel_trade_no"]
    assert await told_of(stack, paid) == [("acknowledged", 1)]
    assert await database.fetchval("SELECT count(*) FROM callbacks WHERE payment_id = $1", paid["id"]) == 1


async def test_a_code_that_is_cancelled_is_shut_at_the_front(stack: GatewayStack, till: Till) -> None:
    payment = payment_of(await till.pay(new_code("alipay")), 201)
    cancelled = payment_of(await till.cancel(payment["id"], wait_s=10))
    assert cancelled["status"] == "closed"
    assert stack.simulators.trade_of(payment)["status"] == "closed"


async def test_a_wallet_that_scans_no_code_of_a_channel_is_refused_by_name(till: Till) -> None:
    error_of(await till.pay(new_code("jd")), 400, "invalid_field", "wallet")


async def test_where_no_account_has_pages_a_code_for_any_wallet_is_not_made(till: Till) -> None:
    payment = payment_of(await till.pay(new_code(None)), 201)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "no_channel")


async def test_many_wallets_at_once_are_each_charged_once(stack: GatewayStack, till: Till) -> None:
    wallets = [*WALLETS, *OTHERS] * 3
    payments = await asyncio.gather(*[taken(till, wallet) for wallet in wallets])
    assert [payment["wallet"] for payment in payments] == wallets
    assert {payment["status"] for payment in payments} == {"succeeded"}
    assert {stack.simulators.trade_of(payment)["amount"] for payment in payments} == {2_599}
