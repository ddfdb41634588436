"""Gateways and workers killed at random moments under load; `make soak` does the same for as long as one likes.

SOAK_SEED replays a schedule, SOAK_MINUTES goes on for so long instead of a dozen kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import orjson
import pytest

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_command
from tests.support.book import ClientBook, PatientTill
from tests.support.gateway import GatewayStack, kill
from tests.support.till import FINAL, WALLETS, new_order

SOAK_MINUTES: Final = float(os.environ.get("SOAK_MINUTES", "0"))
SEED: Final = int(os.environ.get("SOAK_SEED") or secrets.randbelow(2**32))
KILLS: Final = 10
TILLS: Final = 12
MAGIC: Final = (None,) * 12 + ("9001", "9006", "9008", "9009", "9012", "9013")
"""Every third payment meets a fault of its channel or is declined."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(120 + 2 * 60 * SOAK_MINUTES),
]


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes and two workers."""
    return {"gateways": 2, "workers": 2, "settings": FAULT_SETTINGS}


async def test_every_payment_ends_exactly_once_whoever_is_killed_whenever(
    stack: GatewayStack, till: PatientTill, database: asyncpg.Connection, database_url: str, book: ClientBook
) -> None:
    _say(f"\nseed {SEED}: replay with SOAK_SEED={SEED}")
    rng = random.Random(SEED)
    for wallet in WALLETS:
        stack.simulators.set_faults(
            wallet,
            {"kind": "timeout_after_charging", "hold_s": 2, "probability": 0.01},
            {"kind": "outage", "probability": 0.01},
            latency_ms={"min": 1, "max": 60},
            seed=rng.getrandbits(32),
        )
    over = asyncio.Event()
    ringing = [
        asyncio.create_task(_ring_up_until(over, till, random.Random(rng.getrandbits(64)))) for _ in range(TILLS)
    ]
    try:
        kills = await _kill_at_random(stack, rng, _until_enough())
    finally:
        over.set()
    payments = [payment for paid in await asyncio.gather(*ringing) for payment in paid]

    assert len(payments) > kills
    assert len({payment["merchant_order_no"] for payment in payments}) == len(payments)
    assert len({payment["id"] for payment in payments}) == len(payments)
    rows = await database.fetch("SELECT id, status FROM payments")
    assert {row["id"]: row["status"] for row in rows} == {payment["id"]: payment["status"] for payment in payments}
    report = await audit_command(database_url, stack.simulators, book)
    assert report["payments"]["count"] == len(payments)
    assert set(report["payments"]["by_status"]) <= FINAL
    told = {name: report[name] for name in ("agrees", "payments", "simulators", "client_log", "mismatches_total")}
    _say(f"seed {SEED}: {kills} kills; the tills were told {dict(till.told)}\n{orjson.dumps(told).decode()}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _until_enough() -> Callable[[int], bool]:
    """Whether so many kills are enough."""
    if not SOAK_MINUTES:
        return lambda kills: kills >= KILLS
    end = time.monotonic() + 60 * SOAK_MINUTES
    return lambda kills: kills >= KILLS and time.monotonic() > end


async def _kill_at_random(stack: GatewayStack, rng: random.Random, enough: Callable[[int], bool]) -> int:
    """Kill and start again; one gateway is left alive at any time, as in any set-up that cares."""
    victims: Counter[str] = Counter()
    while not enough(victims.total()):
        await asyncio.sleep(rng.uniform(0.05, 0.8))
        child = rng.choice([*stack.gateways, *stack.gateways, *stack.workers])
        kill(child)
        victims[child.command.name] += 1
        await asyncio.sleep(rng.uniform(0, 0.3))
        child.start()
        if child in stack.gateways:
            await asyncio.to_thread(stack.wait_ready, child)
    _say(f"killed: {dict(victims)}")
    return victims.total()


async def _ring_up_until(over: asyncio.Event, till: PatientTill, rng: random.Random) -> list[dict[str, Any]]:
    """One till: a sale after another, each repeated until it has its end."""
    payments = []
    while not over.is_set():
        order = new_order(rng.choice(WALLETS), rng.choice(MAGIC), amount=rng.randint(1, 99_999), expires_in=30)
        payments.append(await till.ring_up(order, gateway=rng.randrange(2), wait_s=1, cancel_after_s=3))
        await asyncio.sleep(rng.uniform(0, 0.2))
    return payments
