"""The simulators' magic payment codes, 9001 to 9015 on each wallet: every one ends as it should, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import pytest

from tests.support.gateway import GatewayStack
from tests.support.till import WALLETS, Till

pytestmark = pytest.mark.asyncio(loop_scope="module")

DECLINED: Final = {
    "9001": ("insufficient_funds", "insufficient_funds", "insufficient_funds"),
    "9002": ("auth_code_expired", "auth_code_invalid", "auth_code_expired"),
    "9011": ("channel_refused", "channel_risk_declined", "channel_risk_declined"),
    "9013": ("auth_code_used", "auth_code_invalid", "auth_code_expired"),
}
"""What WeChat, Alipay and UnionPay tell: Alipay has one code for all bad codes, UnionPay one for old and used ones."""
PAID: Final = {
    "9003": "the PIN after three seconds",
    "9005": "charged, and never answered",
    "9006": "charged, and the answer broke off",
    "9008": "charged, and answered with a server error",
    "9009": "charged, and the answer was not signed",
    "9012": "charged, and the answer was garbage",
}


@pytest.mark.parametrize("wallet", WALLETS)
@pytest.mark.parametrize("magic", DECLINED)
async def test_a_decline_is_no_http_error_and_says_what_to_do(
    stack: GatewayStack, till: Till, wallet: str, magic: str
) -> None:
    payment = await till.taken(wallet, magic)
    assert payment["status"] == "failed"
    failure = payment["failure"]
    assert failure["code"] == dict(zip(WALLETS, DECLINED[magic], strict=True))[wallet]
    assert failure["message"]
    assert failure["channel_code"]
    assert failure["retryable"] is (failure["code"] != "channel_risk_declined")
    assert payment["completed_at"] is not None
    assert all(trade["status"] == "refused" for trade in stack.simulators.trades_of(payment))


async def test_every_charge_whose_answer_went_wrong_ends_succeeded_with_one_capture(
    stack: GatewayStack, till: Till
) -> None:
    cases = [(wallet, magic) for wallet in WALLETS for magic in PAID]
    payments = await asyncio.gather(*[till.taken(wallet, magic) for wallet, magic in cases])
    assert {case: payment["status"] for case, payment in zip(cases, payments, strict=True)} == dict.fromkeys(
        cases, "succeeded"
    )
    for payment in payments:
        trade = stack.simulators.trade_of(payment)
        assert (trade["status"], trade["amount"], trade["refunded"]) == ("captured", 2599, 0)
        assert trade["trade_no"] == payment["channel_trade_no"]


async def test_a_pin_that_the_customer_refuses_leaves_the_payment_unpaid(stack: GatewayStack, till: Till) -> None:
    taken = await _on_each_wallet(lambda wallet: till.taken(wallet, "9014"))
    payments = [await till.settled(payment["id"]) for payment in taken]
    # WeChat says that the payment failed and not why; Alipay only that the order is shut.
    assert {payment["wallet"]: (payment["status"], (payment["failure"] or {}).get("code")) for payment in payments} == {
        "wechat": ("failed", "channel_refused"),
        "alipay": ("closed", None),
        "unionpay": ("failed", "customer_cancelled"),
    }
    assert {stack.simulators.trade_of(payment)["status"] for payment in payments} == {"refused"}


async def test_another_amount_than_ours_is_left_to_a_person(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    for payment in await _on_each_wallet(lambda wallet: till.taken(wallet, "9010", wait_s=1)):
        assert payment["status"] == "processing"
        assert stack.simulators.trade_of(payment)["amount"] == 2600
        review = await database.fetchval("SELECT review FROM payments WHERE id = $1", payment["id"])
        assert review == "amount_mismatch"


async def test_a_pin_never_typed_is_reversed_when_the_payment_expires(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payments = await _on_each_wallet(lambda wallet: till.taken(wallet, "9004", wait_s=1))
    assert {payment["status"] for payment in payments} == {"processing"}
    for payment in payments:
        await _expire(database, payment)
    for payment in payments:
        assert (await till.settled(payment["id"]))["status"] == "reversed"
        assert stack.simulators.trade_of(payment)["status"] == "reversed"


async def test_an_order_that_never_reached_the_channel_fails_as_not_created(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payments = await _on_each_wallet(lambda wallet: till.taken(wallet, "9015", wait_s=1))
    assert {payment["status"] for payment in payments} == {"processing"}
    for payment in payments:
        await _expire(database, payment)
    for payment in payments:
        settled = await till.settled(payment["id"])
        assert settled["status"] == "failed"
        assert (settled["failure"]["code"], settled["failure"]["retryable"]) == ("not_created", True)
        assert stack.simulators.trades_of(payment) == []


async def test_an_order_found_late_but_in_time_is_kept_once(stack: GatewayStack, till: Till) -> None:
    payments = await _ordered_late(stack, till, after_s=2.5)
    for payment in payments:
        assert payment["status"] == "processing"
        assert (await till.settled(payment["id"]))["status"] == "succeeded"
        trade = stack.simulators.trade_of(payment)
        assert (trade["status"], trade["refunded"]) == ("captured", 0)


async def test_an_order_found_after_the_payment_was_given_up_is_refunded_by_itself_and_shown(
    stack: GatewayStack, till: Till, database: asyncpg.Connection
) -> None:
    payments = await _ordered_late(stack, till, after_s=6)
    for payment in payments:
        await _expire(database, payment)
    for payment in payments:
        given_up = await till.settled(payment["id"])
        assert (given_up["status"], given_up["late_captures"]) == ("failed", [])
    for payment in payments:
        found = await _late_capture_refunded(till, database, payment)
        assert found["status"] == "failed", "a payment that is over stays as it is"
        [late] = found["late_captures"]
        assert (late["amount"], late["channel"]) == (2599, payment["channel"])
        assert late["found_at"] <= late["refunded_at"]
        assert stack.simulators.trade_of(payment)["refunded"] == 2599


@pytest.mark.long
@pytest.mark.timeout(90)
async def test_the_magic_codes_that_take_their_time_end_by_themselves(stack: GatewayStack, till: Till) -> None:
    ends = {"9004": "reversed", "9007": "succeeded", "9015": "failed"}
    cases = [(wallet, magic) for wallet in WALLETS for magic in ends]
    taken = await asyncio.gather(
        *[till.taken(wallet, magic, wait_s=1, expires_in=60 if magic == "9007" else 30) for wallet, magic in cases]
    )
    assert {payment["status"] for payment in taken} == {"processing"}
    settled = await asyncio.gather(*[till.settled(payment["id"], timeout_s=60) for payment in taken])
    assert {case: payment["status"] for case, payment in zip(cases, settled, strict=True)} == {
        (wallet, magic): ends[magic] for wallet, magic in cases
    }
    for (_, magic), payment in zip(cases, settled, strict=True):
        states = [trade["status"] for trade in stack.simulators.trades_of(payment)]
        assert states == {"9004": ["reversed"], "9007": ["captured"], "9015": []}[magic]


async def _on_each_wallet(work: Callable[[str], Awaitable[dict[str, Any]]]) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*[work(wallet) for wallet in WALLETS]))


async def _ordered_late(
    stack: GatewayStack, till: Till, *, after_s: float, wallets: Sequence[str] = WALLETS
) -> list[dict[str, Any]]:
    """A payment on each wallet whose order appears at the channel only so long after it was sent."""
    for wallet in wallets:
        stack.simulators.set_faults(wallet, {"kind": "late_order", "after_s": after_s, "times": 1})
    try:
        return list(await asyncio.gather(*[till.taken(wallet, wait_s=1) for wallet in wallets]))
    finally:
        stack.simulators.clear_faults()


async def _expire(database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    """The payment's time is over now, and the worker looks at it at once."""
    await database.execute("UPDATE payments SET expires_at = now() WHERE id = $1", payment["id"])
    await _look_now(database, payment)


async def _look_now(database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", payment["id"])


async def _late_capture_refunded(
    till: Till, database: asyncpg.Connection, payment: Mapping[str, Any], timeout_s: float = 20.0
) -> dict[str, Any]:
    """The payment once its late capture is given back; the worker is told to look all the time."""
    async with asyncio.timeout(timeout_s):
        while True:
            await _look_now(database, payment)
            found = await till.settled(payment["id"])
            if [late["status"] for late in found["late_captures"]] == ["refunded"]:
                return found
            await asyncio.sleep(0.1)
