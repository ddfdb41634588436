"""SIGKILL of a gateway process at each instruction that matters: every payment ends exactly once, in bounded time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import Simulators
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, kill, start_gateway
from tests.support.looking import attempts_of, events_of, until_count
from tests.support.proxy import Mode
from tests.support.till import WALLETS, new_order
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "2"}
_TAKEN_OVER_S: Final = float(_SETTINGS["MASHANG_CHANNEL_TIMEOUT_S"]) + float(_SETTINGS["MASHANG_TAKE_OVER_AFTER_S"])
"""The worker takes a dead process's payment over so long after its intent: what a call may take, and to be sure."""
_BOUND_S: Final = _TAKEN_OVER_S + 8
"""Time enough for the first steps of the worker on a busy machine."""


@dataclass(frozen=True, slots=True)
class Service:
    """Two gateway processes and a worker, with doors to everything that they talk to.

    `front` stands before the first gateway process, which is the one to be killed; `postgres` and `channels` are
    shared by all processes.
    """

    stack: GatewayStack
    front_url: str
    front: Door
    postgres: Door
    channels: Mapping[str, Door]

    def open_all_again(self) -> None:
        """Break what is open and pass everything."""
        for door in (self.front, self.postgres, *self.channels.values()):
            door.open_again()

    def set_channels(self, mode: Mode) -> None:
        """What happens on the way to the channels."""
        for door in self.channels.values():
            door.mode = mode

    def kill_the_first(self) -> None:
        """SIGKILL.  The door is shut, so that tills are refused, while it is started again for the next test."""
        kill(self.stack.gateways[0])
        self.front.shut()
        self.stack.gateways[0].start()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators, doors: Doors
) -> Iterator[Service]:
    """The module's service."""
    channels, through = doors.before_simulators(simulators)
    postgres, url = doors.before_postgres(database_url)
    folder = tmp_path_factory.mktemp("stack")
    with start_gateway(folder, url, redis_url, through, gateways=2, settings=_SETTINGS) as stack:
        front, front_url = doors.before_url(stack.url)
        yield Service(stack, front_url, front, postgres, channels)


@pytest_asyncio.fixture(loop_scope="module")
async def till(service: Service, book: ClientBook) -> AsyncIterator[PatientTill]:
    """A till that goes to the first gateway through its door, and to the second one directly."""
    urls = [service.front_url, service.stack.urls[1]]
    async with PatientTill(urls, service.stack.shop.key.secret, book) as opened:
        await asyncio.gather(*[opened.ring_up(new_order(wallet)) for wallet in WALLETS])  # whatever is cached, is
        yield opened


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def mended(service: Service, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """After each test everything runs again, and the audit agrees."""
    yield
    service.stack.simulators.clear_faults()
    service.open_all_again()
    await asyncio.to_thread(service.stack.wait_ready, service.stack.gateways[0])
    service.front.unshut()
    await audit_here(database_url, service.stack.simulators, book)


async def test_killed_when_the_intent_is_durable_and_nobody_has_heard_of_it(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.postgres.mode = Mode.DROP_ANSWERS
    orders, asked = await _ask(till, database, ["unionpay"])  # one commit is under way at a time
    service.kill_the_first()
    service.open_all_again()
    assert _trades(service, await _ids(database, orders)) == []
    await _none_was_created(service, till, database, orders, asked)


async def test_killed_before_the_channel_hears_of_the_charge(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.set_channels(Mode.FREEZE)
    orders, asked = await _ask(till, database)
    await until(lambda: all(door.held > 0 for door in service.channels.values()))
    service.kill_the_first()
    service.open_all_again()
    assert _trades(service, await _ids(database, orders)) == []
    await _none_was_created(service, till, database, orders, asked)


async def test_killed_when_the_channel_has_charged_and_its_answer_is_on_the_way(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.set_channels(Mode.DROP_ANSWERS)
    orders, asked = await _ask(till, database)
    ids = await _ids(database, orders)
    await until(lambda: _trades(service, ids) == ["captured"] * 3)
    service.kill_the_first()
    service.open_all_again()
    await _all_are_kept_once(service, till, database, orders, asked)


async def test_killed_while_it_waits_for_a_channel_that_charged_and_went_silent(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    for wallet in WALLETS:
        service.stack.simulators.set_faults(wallet, {"kind": "timeout_after_charging", "hold_s": 5, "times": 1})
    orders, asked = await _ask(till, database)
    ids = await _ids(database, orders)
    await until(lambda: _trades(service, ids) == ["captured"] * 3)
    service.kill_the_first()
    await _all_are_kept_once(service, till, database, orders, asked)


async def test_killed_when_the_outcome_is_durable_and_nobody_has_heard_of_it(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.set_channels(Mode.FREEZE)
    orders, asked = await _ask(till, database, ["unionpay"])  # one commit is under way at a time
    await until(lambda: service.channels["unionpay"].held > 0)  # the charge has left the gateway
    service.postgres.mode = Mode.DROP_ANSWERS
    service.set_channels(Mode.PASS)
    await _until_committed(database, orders)
    service.kill_the_first()
    service.open_all_again()
    await _all_were_paid(service, till, database, orders, asked)


async def test_killed_when_the_outcome_is_durable_and_the_till_has_no_answer(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.front.mode = Mode.DROP_ANSWERS
    orders, asked = await _ask(till, database)
    await _until_committed(database, orders)
    service.kill_the_first()
    await _all_were_paid(service, till, database, orders, asked)


@pytest.mark.parametrize("latency_ms", [0, 300])
async def test_fifty_duplicates_at_once_over_two_processes_one_of_which_dies(
    service: Service, till: PatientTill, database: asyncpg.Connection, latency_ms: int
) -> None:
    service.stack.simulators.set_faults("wechat", latency_ms={"mean": latency_ms})
    order = new_order("wechat")
    tills = [asyncio.create_task(till.ring_up(order, gateway=number, wait_s=1)) for number in range(50)]
    await until_count(database, 1, _HOW_MANY, [order["merchant_order_no"]])
    service.kill_the_first()
    payments = await asyncio.gather(*tills)
    assert {(payment["id"], payment["status"]) for payment in payments} == {(payments[0]["id"], "succeeded")}
    await _is_kept_once(service, database, payments[0])


_HOW_MANY: Final = "SELECT count(*) FROM payments WHERE merchant_order_no = ANY ($1)"
_HOW_MANY_PAID: Final = f"{_HOW_MANY} AND status = 'succeeded'"


async def _ask(
    till: PatientTill, database: asyncpg.Connection, wallets: Sequence[str] = WALLETS
) -> tuple[Sequence[dict[str, Any]], Sequence[asyncio.Task[Any]]]:
    """A payment on each wallet, asked of the first gateway, once their intents are durable."""
    orders = [new_order(wallet) for wallet in wallets]
    asked = [asyncio.create_task(till.ask(order, wait_s=1)) for order in orders]
    await until_count(database, len(orders), _HOW_MANY, _numbers(orders))
    return orders, asked


def _numbers(orders: Sequence[Mapping[str, Any]]) -> list[str]:
    return [order["merchant_order_no"] for order in orders]


async def _ids(database: asyncpg.Connection, orders: Sequence[Mapping[str, Any]]) -> Sequence[asyncpg.Record]:
    query = "SELECT id, wallet, account_id AS channel FROM payments WHERE merchant_order_no = ANY ($1)"
    return await database.fetch(query, _numbers(orders))


def _trades(service: Service, payments: Sequence[Mapping[str, Any]]) -> list[str]:
    simulators = service.stack.simulators
    return [trade["status"] for payment in payments for trade in simulators.trades_of(payment)]


async def _until_committed(database: asyncpg.Connection, orders: Sequence[Mapping[str, Any]]) -> None:
    await until_count(database, len(orders), _HOW_MANY_PAID, _numbers(orders))


async def _nobody_was_answered(asked: Sequence[asyncio.Task[Any]]) -> None:
    assert await asyncio.gather(*asked) == [None] * len(asked)


async def _end_at_the_other(till: PatientTill, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same requests again, at the gateway that lives."""
    return list(await asyncio.gather(*[till.ring_up(order, gateway=1, wait_s=1) for order in orders]))


async def _none_was_created(
    service: Service,
    till: PatientTill,
    database: asyncpg.Connection,
    orders: Sequence[Mapping[str, Any]],
    asked: Sequence[asyncio.Task[Any]],
) -> None:
    await _nobody_was_answered(asked)
    await database.execute(
        "UPDATE payments SET expires_at = now() WHERE merchant_order_no = ANY ($1)", _numbers(orders)
    )  # the customer has gone; the worker comes in its own time
    began = time.monotonic()
    for payment in await _end_at_the_other(till, orders):
        if payment["status"] == "failed":
            assert payment["failure"]["code"] == "not_created"
        else:  # Alipay's cancel shuts an order that it has never heard of
            assert (payment["wallet"], payment["status"]) == ("alipay", "reversed")
        assert len(await attempts_of(database, payment["id"])) == 1
        assert set(_trades(service, [payment])) <= {"reversed"}
    assert time.monotonic() - began < _BOUND_S


async def _all_are_kept_once(
    service: Service,
    till: PatientTill,
    database: asyncpg.Connection,
    orders: Sequence[Mapping[str, Any]],
    asked: Sequence[asyncio.Task[Any]],
) -> None:
    await _nobody_was_answered(asked)
    began = time.monotonic()
    for payment in await _end_at_the_other(till, orders):
        await _is_kept_once(service, database, payment)
    assert time.monotonic() - began < _BOUND_S


async def _all_were_paid(
    service: Service,
    till: PatientTill,
    database: asyncpg.Connection,
    orders: Sequence[Mapping[str, Any]],
    asked: Sequence[asyncio.Task[Any]],
) -> None:
    """Nothing is left to resolve: the very next request is told what was committed."""
    await _nobody_was_answered(asked)
    for order in orders:
        answer = await till.ask(order, gateway=1)
        assert answer is not None
        assert answer.status_code == 201, answer.text
        assert answer.headers["idempotent-replayed"] == "true"
        await _is_kept_once(service, database, answer.json())


async def _is_kept_once(service: Service, database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    assert payment["status"] == "succeeded"
    assert [attempt["state"] for attempt in await attempts_of(database, payment["id"])] == ["captured"]
    types = [event["type"] for event in await events_of(database, payment["id"])]
    assert types == ["payment.created", "payment.captured"]
    trade = service.stack.simulators.trade_of(payment)
    assert (trade["status"], trade["amount"], trade["refunded"]) == ("captured", payment["payable"], 0)
