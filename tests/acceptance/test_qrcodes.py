"""Codes that the customer scans (主扫), from outside: shown, paid, expired, cancelled, at every wallet's simulator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.codes.tokens import payment_of_token
from tests.support.gateway import GatewayStack
from tests.support.till import WALLETS, Till, error_of, new_code, new_order, payment_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREFIXES = {
    "wechat": "weixin://wxpay/bizpayurl",
    "alipay": "https://qr.alipay.com/",
    "unionpay": "https://qr.95516.com/",
}
CLOSABLE = ("wechat",)
"""The wallets whose channel shuts a code that nobody has scanned."""


@pytest.fixture(autouse=True)
def ordinary_channels(stack: GatewayStack) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    stack.simulators.clear_faults()


async def shown(till: Till, wallet: str | None, **changes: Any) -> dict[str, Any]:
    """A code on display."""
    payment = payment_of(await till.pay(new_code(wallet, **changes)), 201)
    assert payment["status"] == "requires_action", payment
    return payment


async def age(database: asyncpg.Connection, payment: Mapping[str, Any], seconds: float) -> None:
    """Let so many seconds pass at the gateway; the channels' clocks go on as they are."""
    for statement in (
        "UPDATE payments SET expires_at = expires_at - $2, pay_until = pay_until - $2 WHERE id = $1",
        "UPDATE attempts SET pay_until = pay_until - $2 WHERE payment_id = $1",
        "UPDATE recovery_tasks SET next_at = least(next_at, now()) WHERE payment_id = $1 AND $2::float8 > 0",
    ):
        await database.execute(statement.replace("- $2", "- make_interval(secs => $2)"), payment["id"], seconds)


async def events(database: asyncpg.Connection, payment: Mapping[str, Any]) -> list[str]:
    found = await database.fetch("SELECT type FROM events WHERE payment_id = $1 ORDER BY seq", payment["id"])
    return [record["type"].removeprefix("payment.") for record in found]


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_code_is_shown_and_paid(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    payment = await shown(till, wallet)
    assert payment["qr_code"].startswith(PREFIXES[wallet])
    assert (payment["method"], payment["wallet"], payment["completed_at"]) == ("qrcode", wallet, None)
    stack.simulators.scan(wallet, payment["qr_code"])
    paid = await till.settled(payment["id"])
    assert (paid["status"], paid["qr_code"], paid["failure"]) == ("succeeded", None, None)
    trade = stack.simulators.trade_of(paid)
    assert (trade["status"], trade["amount"], trade["trade_no"]) == ("captured", 2599, paid["channel_trade_no"])
    assert await events(database, payment) == ["created", "code_shown", "captured"]


async def test_a_code_is_there_within_the_time_of_one_call(till: Till) -> None:
    began = time.monotonic()
    await shown(till, "wechat")
    assert time.monotonic() - began < 3


async def test_the_same_request_gives_the_same_code_while_it_is_shown_and_the_end_afterwards(
    stack: GatewayStack, till: Till
) -> None:
    order = new_code("wechat")
    first = payment_of(await till.pay(order), 201)
    began = time.monotonic()
    again = await till.pay(order)
    assert (again.headers["idempotent-replayed"], payment_of(again, 201)) == ("true", first)
    assert time.monotonic() - began < 3, "a code on display is not waited for"
    stack.simulators.scan("wechat", first["qr_code"])
    await till.settled(first["id"])
    assert payment_of(await till.pay(order), 201)["status"] == "succeeded"
    error_of(await till.pay({**order, "wallet": "alipay"}), 409, "order_no_reused", "wallet")


async def test_many_of_the_same_request_at_once_show_one_code(stack: GatewayStack, till: Till) -> None:
    order = new_code("wechat")
    answers = await asyncio.gather(*[till.pay(order) for _ in range(20)])
    assert len({(answer.json()["id"], answer.json()["qr_code"]) for answer in answers}) == 1
    stack.simulators.trade_of(answers[0].json())


async def test_a_code_that_nobody_paid_is_closed_at_its_channel_when_it_expires(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payment = await shown(till, "wechat", expires_in=60)
    await age(database, payment, 60)
    closed = await till.settled(payment["id"])
    assert (closed["status"], closed["failure"], closed["qr_code"], closed["reversal"]) == ("closed", None, None, None)
    assert stack.simulators.trade_of(payment)["status"] == "closed"
    assert await events(database, payment) == ["created", "code_shown", "closed"]
    answer = stack.simulators.client.post(
        f"{stack.simulators.base_urls['wechat']}/_simulator/scan", json={"qr_code": payment["qr_code"]}
    )
    assert answer.status_code in {404, 409}, "nobody can pay it any more"


async def test_an_alipay_code_that_somebody_opened_is_closed_at_its_channel_when_it_expires(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payment = await shown(till, "alipay", expires_in=60)
    stack.simulators.scan("alipay", payment["qr_code"], action="scan")
    await age(database, payment, 59)
    assert (await till.settled(payment["id"]))["status"] == "closed"
    assert stack.simulators.trade_of(payment)["status"] == "closed"


@pytest.mark.parametrize("wallet", ["alipay", "unionpay"])
async def test_money_for_a_code_that_was_closed_goes_back_by_itself(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    """The gateway's clock is ahead of the channel's: it takes money after the time limit that it was told."""
    payment = await shown(till, wallet, expires_in=60)
    await age(database, payment, 61)
    assert (await till.settled(payment["id"]))["status"] == "closed"
    stack.simulators.scan(wallet, payment["qr_code"])
    deadline = time.monotonic() + 20
    while not (found := payment_of(await till.get(payment["id"])))["late_captures"] or (
        found["late_captures"][0]["status"] == "pending"
    ):
        await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", payment["id"])
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    assert found["status"] == "closed"
    [late] = found["late_captures"]
    assert (late["status"], late["amount"]) == ("refunded", 2599)
    assert stack.simulators.trade_of(payment)["refunded"] == 2599


@pytest.mark.parametrize("wallet", CLOSABLE)
async def test_a_cancelled_code_is_closed_at_once(stack: GatewayStack, till: Till, wallet: str) -> None:
    payment = await shown(till, wallet)
    after = payment_of(await till.cancel(payment["id"]))
    assert (after["status"], after["reversal"], after["qr_code"]) == ("closed", "succeeded", None)
    assert stack.simulators.trade_of(payment)["status"] == "closed"
    assert payment_of(await till.cancel(payment["id"])) == after


@pytest.mark.parametrize("wallet", ["alipay", "unionpay"])
async def test_a_cancelled_code_that_its_channel_cannot_close_stays_pending_and_gives_back_what_comes(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    payment = await shown(till, wallet)
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "drop"})
    after = payment_of(await till.cancel(payment["id"], wait_s=2))
    assert (after["status"], after["reversal"]) == ("requires_action", "pending")
    stack.simulators.scan(wallet, payment["qr_code"])
    settled = await till.settled(payment["id"])
    assert (settled["status"], settled["reversal"], settled["late_captures"]) == ("reversed", "succeeded", [])
    assert stack.simulators.trade_of(payment)["refunded"] == 2599


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_code_that_was_paid_today_is_given_back_by_a_cancel(
    stack: GatewayStack, till: Till, wallet: str
) -> None:
    payment = await shown(till, wallet)
    stack.simulators.scan(wallet, payment["qr_code"])
    await till.settled(payment["id"])
    after = payment_of(await till.cancel(payment["id"], wait_s=20))
    assert (after["status"], after["reversal"]) == ("reversed", "succeeded")
    assert stack.simulators.trade_of(payment)["refunded"] == 2599


async def test_a_cancel_that_races_the_customer_ends_closed_or_reversed_and_keeps_no_money(
    stack: GatewayStack, till: Till
) -> None:
    payments = await asyncio.gather(*[shown(till, "wechat") for _ in range(12)])

    def pay(payment: Mapping[str, Any]) -> None:
        url = f"{stack.simulators.base_urls['wechat']}/_simulator/scan"
        httpx.post(url, json={"qr_code": payment["qr_code"]}, trust_env=False, timeout=10)

    await asyncio.gather(
        *[till.cancel(payment["id"]) for payment in payments],
        *[asyncio.to_thread(pay, payment) for payment in payments],
    )
    for payment in payments:
        found = await till.settled(payment["id"], {"closed", "reversed"})
        assert found["reversal"] == "succeeded"
        trade = stack.simulators.trade_of(payment)
        assert trade["amount"] == trade["refunded"] if trade["captured_at"] else trade["status"] == "closed"
        assert found["status"] == ("reversed" if trade["captured_at"] else "closed")


async def test_a_channel_that_is_away_gives_no_code(stack: GatewayStack, till: Till) -> None:
    stack.simulators.set_faults("wechat", {"kind": "outage", "calls": ["create_code"]})
    payment = payment_of(await till.pay(new_code("wechat")), 201)
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "channel_unavailable")


async def test_a_code_whose_answer_is_lost_is_asked_for_again(stack: GatewayStack, till: Till) -> None:
    for wallet in ("wechat", "alipay"):
        stack.simulators.set_faults(wallet, {"kind": "reset_after_charging", "calls": ["create_code"], "times": 1})
        payment = await shown(till, wallet)
        stack.simulators.scan(wallet, payment["qr_code"])
        assert (await till.settled(payment["id"]))["status"] == "succeeded"


async def test_a_code_for_any_wallet_is_shown_at_once_and_closed_when_nobody_scans_it(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payment = await shown(till, None)
    assert (payment["wallet"], payment["channel"]) == (None, None)
    token = payment["qr_code"].rpartition("/q/")[2]
    assert payment_of_token(stack.vault, token) == payment["id"]
    await age(database, payment, 300)
    assert (await till.settled(payment["id"]))["status"] == "closed"
    assert await events(database, payment) == ["code_shown", "closed"]


async def test_a_code_for_any_wallet_that_is_cancelled_is_closed_at_once(till: Till) -> None:
    payment = await shown(till, None)
    after = payment_of(await till.cancel(payment["id"]))
    assert (after["status"], after["reversal"]) == ("closed", "succeeded")


async def test_codes_are_listed_by_method_wallet_operator_and_reversal(stack: GatewayStack) -> None:
    async with stack.till(stack.new_shop()) as till:
        barcode = await till.taken("alipay", operator_id="o-1")
        code = await shown(till, "wechat", operator_id="o-2")
        anyones = await shown(till, None)
        cancelled = payment_of(await till.cancel((await shown(till, None))["id"]))
        for wanted, found in (
            ({"method": "barcode"}, [barcode]),
            ({"method": "qrcode"}, [cancelled, anyones, code]),
            ({"wallet": "wechat"}, [code]),
            ({"operator_id": "o-1"}, [barcode]),
            ({"reversal": "succeeded"}, [cancelled]),
            ({"review": "true"}, []),
            ({"status": "requires_action", "method": "qrcode"}, [anyones, code]),
        ):
            listed = (await till.list(**wanted)).json()["data"]
            assert [payment["id"] for payment in listed] == [payment["id"] for payment in found], wanted


async def test_a_payment_that_replaces_a_code_waits_until_that_can_no_longer_be_paid(till: Till) -> None:
    code = await shown(till, None)
    order = new_order(replaces=code["id"])
    error_of(await till.pay(order, wait_s=0), 409, "replaced_payment_unresolved", "replaces")
    await till.cancel(code["id"])
    assert payment_of(await till.pay(order), 201)["status"] == "succeeded"
