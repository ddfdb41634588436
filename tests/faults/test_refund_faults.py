"""Refunds when everything fails at once: given back exactly once, never beyond the payment, and ended in the end."""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import sys
from collections import Counter
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
from tests.support.looking import until_count, until_row
from tests.support.refunds import new_refund
from tests.support.till import WALLETS, new_order

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SEED: Final = secrets.randbelow(2**32)
_SLOW: Final = {"kind": "slow_down", "latency_ms": 1_000, "calls": ["refund"]}
_ASKED: Final = "SELECT FROM refunds WHERE payment_id = $1 AND asked_at IS NOT NULL"
_PENDING: Final = "SELECT count(*) FROM refunds WHERE status = 'pending'"


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateways and two workers."""
    return {"gateways": 2, "workers": 2, "settings": FAULT_SETTINGS}


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def audited(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, database_url: str, book: ClientBook
) -> AsyncIterator[None]:
    """After each test every process runs again, every refund has its end, and the audit agrees."""
    yield
    stack.simulators.clear_faults()
    for child in (*stack.gateways, *stack.workers):
        _run_again(stack, child)
    await until_count(database, 0, _PENDING)
    await until_count(database, 0, "SELECT count(*) FROM recovery_tasks WHERE purpose = 'refund'")
    report = await audit_here(database_url, stack.simulators, book)
    assert report["refunds"]["count"] > 0
    assert report["client_log"]["refunds_told"] > 0


def _run_again(stack: GatewayStack, child: Child) -> None:
    if child.running:
        child.send(signal.SIGCONT)
    else:
        stack.restart(child)


def given_back(stack: GatewayStack, payment: Mapping[str, Any]) -> list[int]:
    """What the channel gave back of a payment, refund by refund."""
    url = stack.simulators.base_urls[payment["wallet"]]
    answer = stack.simulators.client.get(f"{url}/_simulator/refunds", params={"order_no": f"{payment['id'][4:]}A1"})
    return [row["amount"] for row in answer.json()["refunds"]]


async def paid(till: PatientTill, wallet: str, amount: int = 2_599) -> dict[str, Any]:
    """A new payment that succeeded."""
    payment = await till.ring_up(new_order(wallet, amount=amount))
    assert payment["status"] == "succeeded"
    return payment


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "timeout_after_charging", "hold_s": 2},
        {"kind": "timeout_before_charging", "hold_s": 2},
        {"kind": "reset_after_charging"},
        {"kind": "reset_mid_answer"},
        {"kind": "malformed_answer"},
        {"kind": "badly_signed_answer"},
        {"kind": "server_error_after_charging"},
        {"kind": "wrong_order"},
        {"kind": "rate_limit"},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_whatever_an_answer_is_worth_the_money_goes_back_once(
    stack: GatewayStack, till: PatientTill, fault: Mapping[str, Any]
) -> None:
    payments = await asyncio.gather(*[paid(till, wallet) for wallet in WALLETS])
    for wallet in WALLETS:
        first = {**fault, "calls": ["refund"], "times": 1}
        stack.simulators.set_faults(wallet, first, {"kind": "outage", "calls": ["refund_query"], "times": 1})
    refunds = await asyncio.gather(*[till.refund(new_refund(payment, 1_000)) for payment in payments])
    for payment, refund in zip(payments, refunds, strict=True):
        assert refund["status"] == "succeeded", refund
        assert given_back(stack, payment) == [1_000]


async def test_an_outage_of_every_channel_delays_refunds_and_loses_none(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    payments = await asyncio.gather(*[paid(till, WALLETS[number % 3]) for number in range(9)])
    for wallet in WALLETS:
        stack.simulators.set_faults(wallet, {"kind": "outage"})
    requests = [new_refund(payment) for payment in payments]
    answers = await asyncio.gather(*[till.ask_refund(request, wait_s=1) for request in requests])
    assert {answer.json()["status"] for answer in answers if answer is not None} == {"pending"}
    await until_count(database, 9, "SELECT count(*) FROM refunds WHERE status = 'pending' AND tries > 0")
    stack.simulators.clear_faults()
    refunds = await asyncio.gather(*[till.refund(request) for request in requests])
    assert {refund["status"] for refund in refunds} == {"succeeded"}
    assert [given_back(stack, payment) for payment in payments] == [[2_599]] * 9


async def test_a_refund_that_a_killed_worker_was_at_is_made_once(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    for wallet in WALLETS:
        payment = await paid(till, wallet)
        stack.simulators.set_faults(wallet, _SLOW)
        request = new_refund(payment)
        await till.ask_refund(request, wait_s=0)
        await until_row(database, _ASKED, payment["id"])
        for worker in stack.workers:
            kill(worker)
        stack.simulators.clear_faults()
        stack.workers[1].start()
        assert (await till.refund(request))["status"] == "succeeded"
        assert given_back(stack, payment) == [2_599]
        stack.workers[0].start()


async def test_a_worker_that_slept_past_its_lease_gives_nothing_back_a_second_time(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection
) -> None:
    sleeper, other = stack.workers
    other.send(signal.SIGSTOP)
    payment = await paid(till, "unionpay")
    stack.simulators.set_faults("unionpay", _SLOW | {"times": 1})
    request = new_refund(payment, 1_000)
    await till.ask_refund(request, wait_s=0)
    await until_row(database, _ASKED, payment["id"])
    sleeper.send(signal.SIGSTOP)
    other.send(signal.SIGCONT)
    refund = await till.refund(request)
    other.send(signal.SIGSTOP)
    sleeper.send(signal.SIGCONT)
    second = await till.refund(new_refund(payment, 500))  # the sleeper is through with what it slept over
    other.send(signal.SIGCONT)
    assert (refund["status"], second["status"]) == ("succeeded", "succeeded")
    assert given_back(stack, payment) == [1_000, 500]


async def test_ten_refunds_at_once_at_two_gateways_are_taken_as_far_as_they_fit(
    stack: GatewayStack, till: PatientTill
) -> None:
    payment = await paid(till, "unionpay", 1_000)
    requests = [new_refund(payment, 130 + number) for number in range(10)]
    answers = await asyncio.gather(
        *[till.ask_refund(request, gateway=number % 2, wait_s=0) for number, request in enumerate(requests)]
    )
    statuses = Counter(answer.status_code for answer in answers if answer is not None)
    assert set(statuses) == {201, 409}
    taken = [answer.json()["amount"] for answer in answers if answer is not None and answer.status_code == 201]
    refused = [request["amount"] for request in requests if request["amount"] not in taken]
    assert sum(taken) <= 1_000 < sum(taken) + min(refused), "what would have fitted was not refused"
    for request in requests:
        if request["amount"] in taken:
            assert (await till.refund(request))["status"] == "succeeded"
    assert sorted(given_back(stack, payment)) == sorted(taken)


async def test_a_gateway_killed_while_it_takes_refunds_takes_each_of_them_once(
    stack: GatewayStack, till: PatientTill
) -> None:
    payments = await asyncio.gather(*[paid(till, "unionpay") for _ in range(4)])
    requests = [new_refund(payment, 100) for payment in payments for _ in range(6)]
    refunding = [
        asyncio.create_task(till.refund(request, gateway=number % 2)) for number, request in enumerate(requests)
    ]
    for gateway in stack.gateways:
        await asyncio.sleep(0.05)  # some are taken and some are not: any moment is as good
        kill(gateway)
        await asyncio.to_thread(stack.restart, gateway)
    refunds = await asyncio.gather(*refunding)
    assert {refund["status"] for refund in refunds} == {"succeeded"}
    assert len({refund["id"] for refund in refunds}) == len(requests)
    assert [given_back(stack, payment) for payment in payments] == [[100] * 6] * 4


async def test_every_refund_ends_exactly_once_whoever_is_killed_whenever(
    stack: GatewayStack, till: PatientTill
) -> None:
    sys.stderr.write(f"\nseed {SEED}\n")
    rng = random.Random(SEED)
    for wallet in WALLETS:
        stack.simulators.set_faults(
            wallet,
            {"kind": "timeout_after_charging", "hold_s": 2, "calls": ["refund"], "probability": 0.1},
            {"kind": "error_code", "code": _REFUSED[wallet], "calls": ["refund"], "probability": 0.1},
            {"kind": "outage", "calls": ["refund", "refund_query"], "probability": 0.1},
            latency_ms={"min": 1, "max": 60},
            latency_calls=["refund", "refund_query"],
            seed=rng.getrandbits(32),
        )
    payments = await asyncio.gather(*[paid(till, WALLETS[number % 3]) for number in range(12)])
    refunding = [asyncio.create_task(_return_goods(till, payment, rng.randint(1, 3))) for payment in payments]
    while not all(task.done() for task in refunding):
        await asyncio.sleep(rng.uniform(0.1, 0.8))
        child = rng.choice([*stack.workers, *stack.workers, *stack.gateways])
        kill(child)
        await asyncio.sleep(rng.uniform(0, 0.3))
        child.start()
        if child in stack.gateways:
            await asyncio.to_thread(stack.wait_ready, child)
    for payment, amounts in zip(payments, await asyncio.gather(*refunding), strict=True):
        assert sorted(given_back(stack, payment)) == sorted(amounts)


_REFUSED: Final = {"wechat": "NOT_ENOUGH", "alipay": "ACQ.SELLER_BALANCE_NOT_ENOUGH", "unionpay": "36"}


async def _return_goods(till: PatientTill, payment: Mapping[str, Any], parts: int) -> list[int]:
    """Return a payment's goods in parts, as many as the channel takes at once; what went back."""
    done = []
    for number in range(parts if payment["wallet"] == "unionpay" else 1):
        refund = await till.refund(new_refund(payment, 100 + number))
        if refund["status"] == "succeeded":
            done.append(refund["returned_to_customer"])
    return done
