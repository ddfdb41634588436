"""Wall clocks ten minutes off, forwards and backwards: leases and windows are in database time and do not notice.

Processes with a shifted clock are made by `shifted/sitecustomize.py`.  WeChat Pay and Alipay refuse requests signed
ten minutes ago or ahead, so that a payment on them fails and nothing is charged; UnionPay's are taken.
"""

from __future__ import annotations

import asyncio
import email.utils
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from gateway.database.partitions import ensure_partitions
from gateway.database.pool import named_statements, sql
from gateway.processes.children import Child
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_command
from tests.support.book import ClientBook, PatientTill
from tests.support.clocks import with_clock
from tests.support.gateway import GatewayStack
from tests.support.looking import events_of, payment_row, until_row
from tests.support.till import WALLETS, new_order

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

_SHIFTS_S: Final = (600, -600)


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateways and three workers, of which the first two of each are to have wrong clocks."""
    return {"gateways": 2, "workers": 3, "settings": FAULT_SETTINGS}


@pytest.fixture(scope="module")
def shifted(stack: GatewayStack) -> GatewayStack:
    """The stack with its first two gateways and workers started again, one ten minutes fast and one as slow."""
    for number, shift_s in enumerate(_SHIFTS_S):
        for child in (stack.gateways[number], stack.workers[number]):
            child.stop(timeout_s=10)
            child.command = with_clock(child, shift_s)
            child.start()
    for gateway in stack.gateways:
        stack.wait_ready(gateway)
    return stack


@pytest_asyncio.fixture(loop_scope="module")
async def alone(shifted: GatewayStack) -> AsyncIterator[Child]:
    """The third worker, whose clock is right, stopped while a test is about the ones whose clocks are wrong."""
    right = shifted.workers[2]
    right.stop(timeout_s=10)
    yield right
    right.start()


@pytest.mark.slow
async def test_payments_of_wrong_clocks_end_once_and_their_times_are_the_databases(
    shifted: GatewayStack, till: PatientTill, database: asyncpg.Connection, database_url: str, book: ClientBook
) -> None:
    before = await database.fetchval("SELECT now()")
    orders = [(gateway, new_order(wallet)) for wallet in WALLETS for gateway in (0, 1) for _ in range(3)]
    payments = await asyncio.gather(*[till.ring_up(order, gateway=gateway, wait_s=1) for gateway, order in orders])
    after = await database.fetchval("SELECT now()")
    for payment in payments:
        captured = [trade["status"] for trade in shifted.simulators.trades_of(payment)].count("captured")
        assert (payment["status"], captured) == (("succeeded", 1) if payment["wallet"] == "unionpay" else ("failed", 0))
    for payment in payments:
        row = await payment_row(database, payment["id"])
        assert before <= row["created_at"] <= row["completed_at"] <= after
    assert {_minutes_off(shifted, child) for child in shifted.gateways} == {10, -10}, "the clocks were wrong indeed"
    await audit_command(database_url, shifted.simulators, book)


@pytest.mark.slow
async def test_workers_of_wrong_clocks_lease_and_resolve_as_others_do(
    shifted: GatewayStack, alone: Child, till: PatientTill, database: asyncpg.Connection
) -> None:
    shifted.simulators.set_faults("unionpay", {"kind": "server_error_after_charging", "calls": ["pay", "query"]})
    order = new_order("unionpay")
    answer = await till.ask(order, wait_s=1)
    assert answer is not None
    payment = answer.json()
    assert payment["status"] == "processing"
    leased = "SELECT FROM recovery_tasks WHERE payment_id = $1 AND lease_until BETWEEN now() AND now() + interval '3 s'"
    await until_row(database, leased, payment["id"])
    shifted.simulators.clear_faults()
    paid = await till.ring_up(order, wait_s=1, within_s=15)
    assert paid["status"] == "succeeded"
    types = [event["type"] for event in await events_of(database, payment["id"])]
    assert types == ["payment.created", "payment.captured"]


def _minutes_off(stack: GatewayStack, child: Child) -> int:
    """How far the process's clock is off, by a header that it writes."""
    answer = stack.simulators.client.get(f"{stack.urls[stack.gateways.index(child)]}/livez")
    told = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
    return round((told - time.time()) / 60)


_GIVEN_BACK: Final = {
    "put_off": "Task.now: the database's time of the lease",
    "defer": "Task.now",
    "finish_unless_woken": "Task.now",
    "put_off_until": "the refunds' next_at, read in the same transaction",
}
"""Statements of the worker that take a point in time which the database itself gave a moment before."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("intent", sql("intent")),
        ("outcome", sql("outcome")),
        ("shown", sql("shown")),
        *named_statements("gateway.workers", "statements.sql").items(),
        *named_statements("gateway.payments", "statements.sql").items(),
    ],
    ids=lambda value: value if value.isidentifier() else "",
)
async def test_no_statement_takes_a_point_in_time_for_a_lease_or_a_window_from_a_process(name: str, text: str) -> None:
    columns = "lease_until|next_at|send_before|expires_at|completed_at"
    taken = re.findall(rf"\b(?:{columns}) = (\S+)", text)
    compared = re.findall(r"(?:next_at|lease_until|send_before) *[<>]=? *(\S+)", text)
    from_a_process = [value for value in (*taken, *compared) if value.startswith("$")]
    assert bool(from_a_process) == (name in _GIVEN_BACK), from_a_process


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2031, 3, 1, 0, 5, tzinfo=UTC), "payments_2031_02"),
        (datetime(2032, 3, 15, tzinfo=UTC), "payments_2032_03"),
    ],
)
async def test_an_id_of_a_slow_clock_finds_its_partition_when_a_month_has_just_begun(
    database: asyncpg.Connection, now: datetime, first: str
) -> None:
    made = await ensure_partitions(database, now)
    assert min(name for name in made if name.startswith("payments")) == first
    assert len([name for name in made if name.startswith("payments")]) == (4 if now.day == 1 else 3)
