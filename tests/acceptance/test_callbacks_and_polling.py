"""Whether the channel tells, is asked, or both at once, in whatever order: every payment has its one end."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import pytest

from gateway.payments.numbers import attempt_order_no
from tests.support.channels import QUICK_RHYTHM
from tests.support.gateway import GatewayStack
from tests.support.notifications import acknowledged, notifications, resend
from tests.support.refunds import refund
from tests.support.till import WALLETS, Till, new_code, payment_of
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    return {"callbacks": True, "rhythm": {**QUICK_RHYTHM, "after_shown_s": [0.2]}}


@pytest.fixture(autouse=True)
def ordinary_channels(stack: GatewayStack) -> Any:
    yield
    stack.simulators.clear_faults()


async def paid_by_code(stack: GatewayStack, till: Till, wallet: str) -> dict[str, Any]:
    payment = payment_of(await till.pay(new_code(wallet)), 201)
    await asyncio.to_thread(stack.simulators.scan, wallet, payment["qr_code"])
    return await till.settled(payment["id"])


async def events(database: asyncpg.Connection, payment: dict[str, Any]) -> list[str]:
    rows = await database.fetch("SELECT type FROM events WHERE payment_id = $1 ORDER BY seq", payment["id"])
    return [row["type"] for row in rows]


@pytest.mark.parametrize("wallet", WALLETS)
async def test_without_any_callback_a_payment_ends_by_asking_and_one_that_comes_late_is_no_news(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "drop"})
    payment = await paid_by_code(stack, till, wallet)
    assert payment["status"] == "succeeded"
    [dropped] = notifications(stack.simulators, payment)
    assert dropped["tries"] == 0
    [answer] = await asyncio.to_thread(resend, stack.simulators, payment, dropped)
    assert answer["acknowledged"]
    await until_applied(database, payment)
    assert await database.fetchval("SELECT result FROM callbacks WHERE payment_id = $1", payment["id"]) == "no_change"
    assert payment_of(await till.get(payment["id"])) == payment


async def until_applied(database: asyncpg.Connection, payment: dict[str, Any]) -> None:
    for _ in range(1_000):
        if await database.fetchval("SELECT applied_at FROM callbacks WHERE payment_id = $1", payment["id"]):
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@pytest.mark.slow
@pytest.mark.parametrize("effect", [{"effect": "duplicate", "copies": 5}, {"effect": "before_answer"}])
async def test_told_many_times_while_it_is_asked_every_payment_is_booked_once(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, effect: dict[str, Any]
) -> None:
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, {"kind": "notify", **effect})
    payments = await asyncio.gather(*[paid_by_code(stack, till, wallet) for wallet in WALLETS for _ in range(8)])
    assert {payment["status"] for payment in payments} == {"succeeded"}
    for payment in payments:
        await acknowledged(stack.simulators, payment)
        assert Counter(await events(database, payment))["payment.captured"] == 1
        assert await database.fetchval("SELECT count(*) FROM transfers WHERE payment_id = $1", payment["id"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_refund_that_is_told_before_its_payment_is_booked_once_and_so_is_the_payment(
    stack: GatewayStack, till: Till, database: asyncpg.Connection, wallet: str
) -> None:
    stack.simulators.set_faults(wallet, {"kind": "notify", "effect": "reorder", "of": ["payment"], "after_s": 20})
    payment = await paid_by_code(stack, till, wallet)  # by asking: the channel keeps the news to itself
    assert (await refund(till, payment, 599))["status"] == "succeeded"
    for kind in ("refund", "payment"):
        await acknowledged(stack.simulators, payment, kind, 25)
    order_no = attempt_order_no(payment["id"], 1)
    await until(lambda: stack.simulators.trades(wallet, order_no)[0]["refunded"] == 599)
    after = payment_of(await till.get(payment["id"]))
    assert (after["status"], after["amount_refunded"], after["review"]) == ("succeeded", 599, None)
    assert Counter(await events(database, payment)) == Counter(
        {
            "payment.created": 1,
            "payment.code_shown": 1,
            "payment.captured": 1,
            "refund.created": 1,
            "refund.succeeded": 1,
        }
    )
