"""Workers killed and frozen in the middle of their work, and two of them at once: every effect happens once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from gateway.processes.children import Child
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.gateway import GatewayStack, kill
from tests.support.looking import events_of, expire, look_now, until_count, until_row
from tests.support.till import WALLETS, new_order
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SLOW_MS: Final = 1_000
_LEASED: Final = "SELECT FROM recovery_tasks WHERE payment_id = $1 AND purpose = $2 AND lease_until > now()"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two workers."""
    return {"workers": 2, "settings": FAULT_SETTINGS}


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def audited(stack: GatewayStack, till: PatientTill, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """After each test both workers run again, and the audit agrees."""
    yield
    stack.simulators.clear_faults()
    for worker in stack.workers:
        if worker.running:
            worker.send(signal.SIGCONT)
        else:
            worker.start()
    await audit_here(database_url, stack.simulators, book)


async def test_what_a_killed_worker_was_at_is_taken_up_when_its_lease_is_over(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    order, payment = await _left_unknown(stack, till, "wechat")
    stack.simulators.set_faults("wechat", {"kind": "slow_down", "latency_ms": _SLOW_MS, "calls": ["query"]})
    await until_row(database, _LEASED, payment["id"], "resolve")
    for worker in stack.workers:
        kill(worker)
    stack.simulators.clear_faults()
    assert await database.fetchval("SELECT status FROM payments WHERE id = $1", payment["id"]) == "processing"
    stack.workers[1].start()
    await _captured_once(stack, database, await till.ring_up(order, wait_s=1, within_s=10))


async def test_a_worker_that_slept_past_its_lease_changes_nothing_when_it_wakes(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    sleeper, other = stack.workers
    other.send(signal.SIGSTOP)
    order, payment = await _left_unknown(stack, till, "alipay")
    stack.simulators.set_faults("alipay", {"kind": "slow_down", "latency_ms": _SLOW_MS, "calls": ["query"], "times": 1})
    await until_row(database, _LEASED, payment["id"], "resolve")
    sleeper.send(signal.SIGSTOP)
    other.send(signal.SIGCONT)
    paid = await till.ring_up(order, wait_s=1, within_s=10)
    await _captured_once(stack, database, paid)
    await _wakes_and_works_again(stack, till, sleeper, other)
    await _captured_once(stack, database, paid)


async def test_late_money_is_given_back_once_by_two_workers_of_which_one_slept(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    sleeper, other = stack.workers
    stack.simulators.set_faults("wechat", {"kind": "late_order", "after_s": 4, "hold_s": 2, "times": 1})
    order = new_order("wechat")
    answer = await till.ask(order, wait_s=1)
    assert answer is not None
    await expire(database, answer.json()["id"])
    payment = await till.ring_up(order, wait_s=1)
    assert payment["failure"]["code"] == "not_created"
    await until(lambda: [trade["status"] for trade in stack.simulators.trades_of(payment)] == ["captured"])

    other.send(signal.SIGSTOP)
    stack.simulators.set_faults(
        "wechat", {"kind": "slow_down", "latency_ms": _SLOW_MS, "calls": ["refund"], "times": 1}
    )
    await look_now(database, payment["id"])
    await until_row(database, _LEASED, payment["id"], "give_back")
    sleeper.send(signal.SIGSTOP)
    late = await database.fetchval("SELECT status FROM late_captures WHERE payment_id = $1", payment["id"])
    assert late == "pending", "put to sleep in the middle of it"
    other.send(signal.SIGCONT)
    refunded = "SELECT FROM late_captures WHERE payment_id = $1 AND status = 'refunded'"
    await until_row(database, refunded, payment["id"])
    await _wakes_and_works_again(stack, till, sleeper, other)

    assert stack.simulators.trade_of(payment)["refunded"] == payment["payable"]
    types = [event["type"] for event in await events_of(database, payment["id"])]
    assert types.count("payment.late_capture_found") == types.count("payment.late_capture_refunded") == 1
    kinds = await database.fetch("SELECT kind FROM transfers WHERE payment_id = $1 ORDER BY seq", payment["id"])
    assert len(kinds) == 2, "the capture and its return"


async def test_two_workers_share_the_work_and_do_each_thing_once(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, {"kind": "server_error_after_charging", "calls": ["pay", "query"]})
    # Of each wallet fewer than open a circuit breaker: what is refused by it leaves the workers nothing to do.
    orders = [new_order(WALLETS[number % 3]) for number in range(18)]
    answers = await asyncio.gather(*[till.ask(order, wait_s=1) for order in orders])
    assert {answer.json()["status"] for answer in answers if answer is not None} == {"processing"}
    stack.simulators.clear_faults()
    for payment in await asyncio.gather(*[till.ring_up(order, wait_s=2, within_s=20) for order in orders]):
        await _captured_once(stack, database, payment)
    ids = [answer.json()["id"] for answer in answers if answer is not None]
    left = "SELECT count(*) FROM recovery_tasks WHERE payment_id = ANY ($1)"
    await until_count(database, 0, left, ids)


async def _left_unknown(
    stack: GatewayStack, till: PatientTill, wallet: str
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A payment that was charged, of which the gateway knows nothing, and which is now the worker's."""
    stack.simulators.set_faults(wallet, {"kind": "server_error_after_charging", "calls": ["pay", "query"]})
    order = new_order(wallet)
    answer = await till.ask(order, wait_s=1)
    assert answer is not None
    assert answer.json()["status"] == "processing"
    return order, answer.json()


async def _wakes_and_works_again(stack: GatewayStack, till: PatientTill, sleeper: Child, other: Child) -> None:
    """The sleeper wakes and, being alone, resolves a new payment: by then it is through with what it slept over."""
    other.send(signal.SIGSTOP)
    sleeper.send(signal.SIGCONT)
    order, _ = await _left_unknown(stack, till, "unionpay")
    stack.simulators.clear_faults()
    assert (await till.ring_up(order, wait_s=1, within_s=15))["status"] == "succeeded"
    other.send(signal.SIGCONT)


async def _captured_once(stack: GatewayStack, database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    assert payment["status"] == "succeeded"
    types = [event["type"] for event in await events_of(database, payment["id"])]
    assert types == ["payment.created", "payment.captured"]
    transfers = await database.fetchval("SELECT count(*) FROM transfers WHERE payment_id = $1", payment["id"])
    assert transfers == 2, "the capture and the fee"
    trade = stack.simulators.trade_of(payment)
    assert (trade["status"], trade["amount"], trade["refunded"]) == ("captured", payment["payable"], 0)
