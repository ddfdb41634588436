"""Callbacks through crashes and outages: what was acknowledged is applied, what was not is told again; each once.

The gateway asks the channels for nothing here: what it learns of a payment, it was told.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from gateway.processes.children import Child
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import Simulators
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, kill, start_gateway
from tests.support.looking import until_row
from tests.support.notifications import acknowledged, notifications
from tests.support.till import WALLETS, new_code
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_NEVER_ASKED: Final[Mapping[str, Any]] = {
    "after_pending_s": [600],
    "after_unknown_s": [600],
    "after_shown_s": [600],
    "reverse_not_before_s": 0.5,
    "repeat_reversal_s": 0.2,
}
_IS_BEING_WRITTEN_DOWN: Final = (  # by the gateway: the worker, too, waits for a lock on the table when it looks there
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND query LIKE '%INSERT INTO callbacks%'"
)


@dataclass(frozen=True, slots=True)
class Service:
    """A gateway and a worker that the channels can reach, with a door to their database."""

    stack: GatewayStack
    postgres: Door
    database_url: str

    @property
    def gateway(self) -> Child:
        return self.stack.gateways[0]

    @property
    def worker(self) -> Child:
        return self.stack.workers[0]

    def mend(self) -> None:
        """Everything runs again."""
        self.postgres.open_again()
        for child in (self.gateway, self.worker):
            if not child.running:
                self.stack.restart(child)

    async def scan(self, payment: Mapping[str, Any]) -> None:
        """The customer pays."""
        await asyncio.to_thread(self.stack.simulators.scan, payment["wallet"], payment["qr_code"])

    @asynccontextmanager
    async def locked(self, statement: str, *arguments: Any) -> AsyncIterator[None]:
        """Hold a lock on a connection of its own."""
        connection = await asyncpg.connect(self.database_url)
        try:
            async with connection.transaction():
                await connection.execute(statement, *arguments)
                yield
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators, doors: Doors
) -> Iterator[Service]:
    """The module's service.  A channel that was not heard tells the same again twice a second."""
    postgres, url = doors.before_postgres(database_url)
    folder = tmp_path_factory.mktemp("stack")
    for wallet in WALLETS:
        simulators.set_faults(wallet, notify_retry_s=[0.5] * 60)
    with start_gateway(
        folder, url, redis_url, simulators, rhythm=_NEVER_ASKED, settings=FAULT_SETTINGS, callbacks=True
    ) as stack:
        yield Service(stack, postgres, database_url)


@pytest_asyncio.fixture(loop_scope="module")
async def till(service: Service, book: ClientBook) -> AsyncIterator[PatientTill]:
    """A till whose answers are noted."""
    async with PatientTill(service.stack.urls, service.stack.shop.key.secret, book) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def mended(service: Service, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """After each test everything runs again, and the audit agrees."""
    yield
    service.mend()
    await audit_here(database_url, service.stack.simulators, book)


class Code:
    """A code on display, and its end."""

    def __init__(self, till: PatientTill, wallet: str) -> None:
        self.order = new_code(wallet)
        self.payment: dict[str, Any] = {}
        self._till = till

    async def show(self) -> Code:
        answer = await self._till.ask(self.order)
        assert answer is not None
        self.payment = answer.json()
        assert self.payment["status"] == "requires_action", answer.text
        return self

    async def end(self) -> dict[str, Any]:
        """The payment once it has one."""
        return await self._till.ring_up(self.order, within_s=30)


async def paid_once(database: asyncpg.Connection, code: Code) -> None:
    """It succeeded, was booked once, and its one callback is done with."""
    assert (await code.end())["status"] == "succeeded"
    payment_id = code.payment["id"]
    await until_row(database, "SELECT 1 FROM callbacks WHERE payment_id = $1 AND applied_at IS NOT NULL", payment_id)
    counts = await database.fetchrow(
        "SELECT (SELECT count(*) FROM callbacks WHERE payment_id = $1) AS callbacks,"
        " (SELECT count(*) FROM events WHERE payment_id = $1 AND type = 'payment.captured') AS captures,"
        " (SELECT count(*) FROM transfers WHERE payment_id = $1) AS transfers",
        payment_id,
    )
    assert counts is not None
    assert tuple(counts) == (1, 1, 2)


_LOCK_PAYMENT: Final = "SELECT 1 FROM payments WHERE id = $1 FOR UPDATE"


@pytest.mark.parametrize("wallet", WALLETS)
async def test_killed_between_the_acknowledgement_and_its_effect_the_worker_applies_it(
    service: Service, till: PatientTill, database: asyncpg.Connection, wallet: str
) -> None:
    code = await Code(till, wallet).show()
    async with service.locked(_LOCK_PAYMENT, code.payment["id"]):
        await service.scan(code.payment)
        await acknowledged(service.stack.simulators, code.payment)
        kill(service.gateway)
        assert not await database.fetchval("SELECT applied_at FROM callbacks WHERE payment_id = $1", code.payment["id"])
    await until_row(database, "SELECT 1 FROM payments WHERE id = $1 AND status = 'succeeded'", code.payment["id"])
    service.mend()
    await paid_once(database, code)


async def test_killed_before_it_is_written_down_it_is_not_acknowledged_and_told_again(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    code = await Code(till, "alipay").show()
    async with service.locked("LOCK TABLE callbacks IN SHARE MODE"):
        await service.scan(code.payment)
        await until_row(database, _IS_BEING_WRITTEN_DOWN)
        kill(service.gateway)
    service.mend()
    await paid_once(database, code)
    told = await acknowledged(service.stack.simulators, code.payment)
    assert told["tries"] > 1


async def test_a_worker_that_is_killed_while_it_applies_one_leaves_it_to_the_next_worker(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    code = await Code(till, "unionpay").show()
    async with service.locked(_LOCK_PAYMENT, code.payment["id"]):
        await service.scan(code.payment)
        await acknowledged(service.stack.simulators, code.payment)
        kill(service.gateway)
        await until_row(
            database, "SELECT 1 FROM callbacks WHERE payment_id = $1 AND tries > 0", code.payment["id"]
        )  # the worker has it
        kill(service.worker)
    service.mend()
    await paid_once(database, code)


async def test_a_stop_brings_what_was_acknowledged_to_its_end_or_leaves_it_to_the_worker(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    code = await Code(till, "wechat").show()
    async with service.locked(_LOCK_PAYMENT, code.payment["id"]):
        await service.scan(code.payment)
        await acknowledged(service.stack.simulators, code.payment)
        service.gateway.send(signal.SIGTERM)
    await until(lambda: not service.gateway.running)
    service.mend()
    await paid_once(database, code)


async def test_what_was_written_down_without_our_hearing_of_it_is_acknowledged_when_it_is_told_again(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    code = await Code(till, "wechat").show()
    service.postgres.lose_answer(code.payment["channel"].encode())  # the inbox answers with the order's account
    await service.scan(code.payment)
    await until_row(database, "SELECT 1 FROM callbacks WHERE payment_id = $1", code.payment["id"])
    assert service.postgres.answers_lost == 1
    await paid_once(database, code)
    told = await acknowledged(service.stack.simulators, code.payment)
    assert told["tries"] > 1


async def test_without_a_database_it_is_refused_until_there_is_one(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    code = await Code(till, "alipay").show()
    service.postgres.shut()
    await service.scan(code.payment)
    await until(lambda: notifications(service.stack.simulators, code.payment)[0]["tries"] > 1)
    [told] = notifications(service.stack.simulators, code.payment)
    assert told["status"] == "waiting"
    service.postgres.unshut()
    await paid_once(database, code)
    await acknowledged(service.stack.simulators, code.payment)


async def test_a_crowd_that_is_told_while_the_gateway_is_killed_again_and_again_ends_well(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    for wallet in WALLETS:
        service.stack.simulators.set_faults(
            wallet, {"kind": "notify", "effect": "duplicate", "copies": 20}, notify_retry_s=[0.5] * 60
        )
    codes = [await Code(till, wallet).show() for wallet in WALLETS for _ in range(4)]
    scanning = [asyncio.create_task(service.scan(code.payment)) for code in codes]
    for _ in range(3):
        await asyncio.sleep(0.1)
        kill(service.gateway)
        await asyncio.to_thread(service.mend)
    await asyncio.gather(*scanning)
    for code in codes:
        await paid_once(database, code)
