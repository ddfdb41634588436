"""Codes at their end while workers are killed and customers pay in the last moment: each is kept once, or goes back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.gateway import GatewayStack, kill
from tests.support.lengths import cases
from tests.support.looking import events_of, until_row
from tests.support.till import WALLETS, new_code, new_order

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SLOW_MS: Final = 1_000
_CODES: Final = 24


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two workers, and margins of half a second."""
    return {"workers": 2, "settings": FAULT_SETTINGS}


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def audited(stack: GatewayStack, till: PatientTill, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """After each test both workers run again, and the audit agrees; one payment is in the books in any case."""
    await till.ring_up(new_order())
    yield
    stack.simulators.clear_faults()
    for worker in stack.workers:
        if not worker.running:
            worker.start()
    await audit_here(database_url, stack.simulators, book)


async def shown(till: PatientTill, wallet: str) -> dict[str, Any]:
    """A code on display."""
    answer = await till.ask(new_code(wallet))
    assert answer is not None
    payment: dict[str, Any] = answer.json()
    assert payment["status"] == "requires_action", payment
    return payment


async def expire(database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    """Its time is over; the channel's clock goes on."""
    await database.execute("UPDATE payments SET expires_at = now(), pay_until = now() WHERE id = $1", payment["id"])
    await database.execute("UPDATE attempts SET pay_until = now() WHERE payment_id = $1", payment["id"])
    await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", payment["id"])


async def ended(database: asyncpg.Connection, payment: Mapping[str, Any], within_s: float = 15) -> str:
    """The status at the end."""
    deadline = time.monotonic() + within_s
    while True:
        row = await database.fetchrow("SELECT status, reversal, review FROM payments WHERE id = $1", payment["id"])
        assert row is not None
        if row["status"] not in {"processing", "requires_action"} and row["reversal"] != "pending":
            return str(row["status"])
        assert time.monotonic() < deadline, f"{payment['id']} is still {dict(row)}"
        await asyncio.sleep(0.05)


def pay(stack: GatewayStack, payment: Mapping[str, Any]) -> None:
    """A customer pays, if that still goes."""
    url = f"{stack.simulators.base_urls[payment['wallet']]}/_simulator/scan"
    httpx.post(url, json={"qr_code": payment["qr_code"]}, trust_env=False, timeout=10)


async def test_a_worker_killed_between_the_channels_close_and_its_commit_leaves_the_close_to_the_next(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    payment = await shown(till, "wechat")
    stack.simulators.set_faults("wechat", {"kind": "reset_after_charging", "calls": ["close"]})
    await expire(database, payment)
    deadline = time.monotonic() + 10
    while stack.simulators.trade_of(payment)["status"] != "closed":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    for worker in stack.workers:
        kill(worker)
    assert await database.fetchval("SELECT status FROM payments WHERE id = $1", payment["id"]) == "requires_action"
    stack.simulators.clear_faults()
    stack.workers[0].start()
    assert await ended(database, payment) == "closed"
    events = [event["type"] for event in await events_of(database, payment["id"])]
    assert events == ["payment.created", "payment.code_shown", "payment.closed"]


async def test_a_worker_killed_while_it_gives_a_cancelled_codes_money_back_gives_it_back_once(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    payment = await shown(till, "alipay")
    order = {"merchant_order_no": payment["merchant_order_no"]}
    await till.cancel(order, payment["id"])
    stack.simulators.set_faults("alipay", {"kind": "timeout_after_charging", "calls": ["refund"]})
    pay(stack, payment)
    deadline = time.monotonic() + 10
    while stack.simulators.trade_of(payment)["refunded"] == 0:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    for worker in stack.workers:
        kill(worker)
    stack.simulators.clear_faults()
    stack.workers[1].start()
    assert await ended(database, payment) == "reversed"
    assert stack.simulators.trade_of(payment)["refunded"] == payment["amount"]


async def test_a_gateway_killed_before_it_could_show_a_code_leaves_nothing_that_can_be_paid(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    stack.simulators.set_faults("wechat", {"kind": "slow_down", "latency_ms": _SLOW_MS, "calls": ["create_code"]})
    order = new_code("wechat")
    asking = asyncio.create_task(till.ask(order))
    await until_row(database, "SELECT FROM payments WHERE merchant_order_no = $1", order["merchant_order_no"])
    kill(stack.gateways[0])
    assert await asking is None
    stack.simulators.clear_faults()
    stack.restart(stack.gateways[0])
    found = await database.fetchrow(
        "SELECT id, wallet FROM payments WHERE merchant_order_no = $1", order["merchant_order_no"]
    )
    assert found is not None
    payment = dict(found)
    assert await ended(database, payment) in {"closed", "failed"}
    await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", payment["id"])
    deadline = time.monotonic() + 10
    while any(trade["status"] == "open" for trade in stack.simulators.trades_of(payment)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("seed", cases([1, 2], [1]))
async def test_customers_who_pay_as_their_codes_expire_or_are_cancelled_while_a_worker_dies(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, seed: int
) -> None:
    """Whatever comes first: a payment is kept, or its money goes back; nothing is lost and nothing kept twice."""
    chance = random.Random(seed)
    payments = await asyncio.gather(*[shown(till, wallet) for wallet in WALLETS for _ in range(_CODES // 3)])

    async def end(payment: Mapping[str, Any]) -> None:
        await asyncio.sleep(chance.uniform(0, 1.0))
        if chance.random() < 0.4:
            await till.cancel({"merchant_order_no": payment["merchant_order_no"]}, payment["id"])
        await expire(database, payment)

    async def customer(payment: Mapping[str, Any]) -> None:
        await asyncio.sleep(chance.uniform(0, 2.5))
        await asyncio.to_thread(pay, stack, payment)

    async def trouble() -> None:
        for _ in range(3):
            await asyncio.sleep(0.4)
            worker = chance.choice(stack.workers)
            if worker.running:
                kill(worker)
            worker.start()

    lock = asyncio.Lock()
    endings = [_alone(lock, end, payment) for payment in payments]
    await asyncio.gather(*endings, *[customer(payment) for payment in payments], trouble())
    for payment in payments:
        status = await ended(database, payment, within_s=30)
        await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", payment["id"])
        [trade] = stack.simulators.trades_of(payment)
        if status == "succeeded":
            assert (trade["captured_at"] is not None, trade["refunded"]) == (True, 0)
        else:
            await until_returned(stack, database, payment)


async def until_returned(stack: GatewayStack, database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    """No money of this payment stays at its channel, and nobody can pay it any more."""
    deadline = time.monotonic() + 20
    while True:
        [trade] = stack.simulators.trades_of(payment)
        if trade["captured_at"] is None or trade["refunded"] == trade["amount"]:
            return
        assert time.monotonic() < deadline, trade
        await database.execute("UPDATE recovery_tasks SET next_at = now() WHERE payment_id = $1", payment["id"])
        await asyncio.sleep(0.1)


async def _alone(lock: asyncio.Lock, work: Any, payment: Mapping[str, Any]) -> None:
    """One at a time: they share a connection to the database."""
    async with lock:
        await work(payment)
