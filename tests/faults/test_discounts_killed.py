"""SIGKILL of a gateway or the worker at each step of a payment with a discount: no fen is lost, taken twice or kept.

What a dead process had reserved for payments whose intent never became durable is stranded: no more than its payments
under way, and no longer than the pool lets a reservation live (reconciling.LIVES_GENERATIONS, of a second each) and a
round of the worker takes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from promotions.budget.keeping import ROUND_S
from promotions.budget.reconciling import LIVES_GENERATIONS
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import Simulators
from tests.support.discounts import OFF_FEN, InValkey, PoolView, all_books_agree, money_of
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, kill, start_gateway
from tests.support.looking import until_count, until_row
from tests.support.manager import Manager, manager
from tests.support.proxy import Mode
from tests.support.till import WALLETS, new_order
from tests.support.waiting import eventually, until

__all__ = ["manager"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "2"}
_BUDGET_FEN: Final = 10 * OFF_FEN
_WAIT_S: Final = 12
"""A till that would be answered `processing` sooner would hear it, on a busy machine, before anybody is killed."""
_SLACK_S: Final = 5.0
"""Of a busy machine, beside every bound in seconds."""
_HOW_MANY: Final = "SELECT count(*) FROM payments WHERE merchant_order_no = ANY ($1)"
_WAITING: Final = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'mashang'"
)


@dataclass(frozen=True, slots=True)
class Service:
    """Two gateway processes and a worker, with doors to whatever they talk to; `front` is the first gateway's."""

    stack: GatewayStack
    front_url: str
    front: Door
    valkey: Door
    channels: Mapping[str, Door]

    def set_channels(self, mode: Mode) -> None:
        """What happens on the way to the channels."""
        for door in self.channels.values():
            door.mode = mode

    def kill_the_first(self) -> None:
        """SIGKILL.  The door is shut, so that tills are refused, while it is started again for the next test."""
        kill(self.stack.gateways[0])
        self.front.shut()
        self.stack.gateways[0].start()

    def open_all_again(self) -> None:
        """Break what is open and pass everything."""
        for door in (self.front, self.valkey, *self.channels.values()):
            door.open_again()


@dataclass(frozen=True, slots=True)
class Scene:
    """What every test here works with: a campaign with money for ten payments."""

    service: Service
    manager: Manager
    till: PatientTill
    database: asyncpg.Connection
    pool: PoolView
    campaign_id: str

    async def ask(self, orders: Sequence[dict[str, Any]]) -> list[asyncio.Task[Any]]:
        """Asked of the first gateway, each on its own; it has no reason to answer one whose outcome is held up."""
        return [asyncio.create_task(self.till.ask(order, wait_s=_WAIT_S)) for order in orders]

    async def ask_until_reserved(self, orders: Sequence[dict[str, Any]]) -> list[asyncio.Task[Any]]:
        """The same while the slices are held, until all have reserved and somebody waits for the slices.

        Intents wait for a slice no longer than PostgreSQL's `lock_timeout`, twice: an order that was refused by then,
        because a busy machine was slow with the others, is asked for again.
        """
        asked = await self.ask(orders)

        async def are_reserved() -> bool:
            for place, order in enumerate(orders):
                if asked[place].done():
                    [asked[place]] = await self.ask([order])
            return (await self.in_valkey()).open == len(orders) and await self.somebody_waits()

        await eventually(are_reserved)
        return asked

    async def somebody_waits(self) -> bool:
        """Whether an intent or an outcome waits for the slices."""
        return bool(await self.database.fetchval(f"SELECT EXISTS ({_WAITING})"))

    async def until_durable(self, orders: Sequence[Mapping[str, Any]]) -> None:
        """Wait for the intents."""
        await until_count(self.database, len(orders), _HOW_MANY, _numbers(orders))

    async def end_at_the_other(self, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The same requests again at the gateway that lives."""
        return list(await asyncio.gather(*[self.till.ring_up(order, gateway=1, wait_s=1) for order in orders]))

    async def let_go(self, orders: Sequence[Mapping[str, Any]]) -> None:
        """The customers have gone; the worker comes in its own time."""
        statement = "UPDATE payments SET expires_at = now() WHERE merchant_order_no = ANY ($1)"
        await self.database.execute(statement, _numbers(orders))

    async def money(self) -> tuple[int, int, int]:
        """Spent, held and left, in discounts."""
        found = await money_of(self.manager, self.campaign_id)
        return found.spent // OFF_FEN, found.held // OFF_FEN, found.left // OFF_FEN

    async def in_valkey(self) -> InValkey:
        """The campaign's one slice."""
        [found] = await self.pool.in_valkey(self.campaign_id)
        return found

    async def until_reserved(self, discounts: int) -> None:
        """Wait until Valkey has so many reservations open."""

        async def are_open() -> bool:
            return (await self.in_valkey()).open == discounts

        await eventually(are_open)

    @asynccontextmanager
    async def slices_held(self) -> AsyncIterator[None]:
        """Nobody's intent or outcome gets past the campaign's slices while this is open."""
        connection = await asyncpg.connect(self.service.stack.database_url)
        try:
            async with connection.transaction():
                await connection.execute(
                    "SELECT FROM campaign_slices WHERE campaign_id = $1 FOR UPDATE", self.campaign_id
                )
                yield
        finally:
            await connection.close()

    async def end_who_waits(self) -> None:
        """What waits for the slices never becomes durable."""

        async def nobody_waits() -> bool:
            await self.database.execute(f"SELECT pg_terminate_backend(pid) FROM ({_WAITING}) s")
            return not await self.somebody_waits()

        await eventually(nobody_waits)


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators, doors: Doors
) -> Iterator[Service]:
    """The module's service."""
    channels, through = doors.before_simulators(simulators)
    valkey, url = doors.before_valkey(redis_url)
    folder = tmp_path_factory.mktemp("stack")
    with start_gateway(folder, database_url, url, through, gateways=2, settings=_SETTINGS) as stack:
        front, front_url = doors.before_url(stack.url)
        yield Service(stack, front_url, front, valkey, channels)


@pytest.fixture(scope="module")
def stack(service: Service) -> GatewayStack:
    """The same without its doors."""
    return service.stack


@pytest_asyncio.fixture(loop_scope="module")
async def till(service: Service, book: ClientBook) -> AsyncIterator[PatientTill]:
    """A till that goes to the first gateway through its door, and to the second one directly."""
    urls = [service.front_url, service.stack.urls[1]]
    async with PatientTill(urls, service.stack.shop.key.secret, book) as opened:
        await asyncio.gather(*[opened.ring_up(new_order(wallet, amount=100)) for wallet in WALLETS])
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def scene(
    service: Service, manager: Manager, till: PatientTill, database_url: str, redis_url: str
) -> AsyncIterator[Scene]:
    """A new campaign, in Valkey already."""
    campaign_id = await manager.start(limits={"budget": _BUDGET_FEN})
    async with PoolView.opened(database_url, redis_url) as pool:
        await pool.until_right(campaign_id)
        yield Scene(service, manager, till, pool.database, pool, campaign_id)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def mended(service: Service, manager: Manager, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """After each test everything runs again, and the audit agrees."""
    yield
    service.stack.simulators.clear_faults()
    service.open_all_again()
    if not service.stack.workers[0].running:
        service.stack.workers[0].start()
    await asyncio.to_thread(service.stack.wait_ready, service.stack.gateways[0])
    service.front.unshut()
    await all_books_agree(database_url, service.stack.simulators, book)


def _numbers(orders: Sequence[Mapping[str, Any]]) -> list[str]:
    return [order["merchant_order_no"] for order in orders]


async def _nobody_was_answered(asked: Sequence[asyncio.Task[Any]]) -> None:
    assert await asyncio.gather(*asked) == [None] * len(asked)


async def _leak(scene: Scene, count: int) -> list[dict[str, Any]]:
    """Kill the first gateway between the reservations and the intents of so many orders, which never happen."""
    orders = [new_order("unionpay") for _ in range(count)]
    async with scene.slices_held():
        asked = await scene.ask_until_reserved(orders)
        scene.service.kill_the_first()
        await scene.end_who_waits()
    await _nobody_was_answered(asked)
    assert await scene.database.fetchval(_HOW_MANY, _numbers(orders)) == 0
    return orders


async def test_killed_between_reservation_and_intent_and_the_till_asks_again(scene: Scene) -> None:
    """The order has its reservation still: whoever asks for the same one gets it, though nothing else is left."""
    orders = await _leak(scene, 10)
    assert await scene.in_valkey() == (0, 10)
    assert await scene.money() == (0, 0, 10)
    payments = await scene.end_at_the_other(orders)
    assert [(payment["status"], payment["discount"]) for payment in payments] == [("succeeded", OFF_FEN)] * 10
    assert await scene.money() == (10, 0, 0)


@pytest.mark.parametrize(
    "is_hastened",
    [True, pytest.param(False, marks=pytest.mark.long)],
    ids=["hastened", "in its own time"],
)
async def test_killed_between_reservation_and_intent_and_the_till_never_comes_back(
    scene: Scene, is_hastened: bool
) -> None:
    """Stranded is what the dead process had reserved, until the reservations expire; then others have it."""
    began, first_generation = time.monotonic(), await scene.pool.generation()
    await _leak(scene, 8)
    leaked_generation = await scene.pool.generation()
    assert await scene.in_valkey() == (2 * OFF_FEN, 8)
    others = [await scene.till.ring_up(new_order("unionpay"), gateway=1) for _ in range(3)]
    assert [payment["discount"] for payment in others] == [OFF_FEN, OFF_FEN, 0], "what is not stranded is to be had"
    if is_hastened:
        so_far = await scene.pool.generation() - first_generation
        await scene.pool.hasten(LIVES_GENERATIONS - 2 - so_far)
        assert (await scene.in_valkey()).open == 8, "it is too early still"

    async def is_swept() -> bool:
        return (await scene.in_valkey()).open == 0

    await eventually(is_swept, timeout_s=LIVES_GENERATIONS + ROUND_S + _SLACK_S)
    swept_generation = await scene.pool.generation()
    took = swept_generation - first_generation
    sys.stderr.write(f"\n8 reservations were swept after {took} generations, {time.monotonic() - began:.1f} s\n")
    assert took >= LIVES_GENERATIONS - 1  # a process may be one behind
    assert swept_generation - leaked_generation <= LIVES_GENERATIONS + ROUND_S + _SLACK_S
    assert await scene.in_valkey() == (8 * OFF_FEN, 0)
    payments = await asyncio.gather(*[scene.till.ring_up(new_order("unionpay"), gateway=1) for _ in range(9)])
    assert sorted(payment["discount"] for payment in payments) == [0, *[OFF_FEN] * 8]
    assert await scene.money() == (10, 0, 0)


async def test_killed_while_the_intent_is_under_way_and_it_becomes_durable_after_all(scene: Scene) -> None:
    orders = [new_order("unionpay") for _ in range(3)]
    async with scene.slices_held():
        asked = await scene.ask_until_reserved(orders)
        scene.service.kill_the_first()
    await _nobody_was_answered(asked)
    await eventually(lambda: _some_are_durable(scene, orders))
    held = await scene.money()
    assert held == (0, held[1], 10 - held[1])
    await scene.let_go(orders)
    payments = await scene.end_at_the_other(orders)
    given = sum(payment["status"] == "succeeded" for payment in payments)
    assert {payment["status"] for payment in payments} <= {"failed", "reversed", "succeeded"}
    assert given == 3 - held[1], "what was under way had no charge; the rest was asked for again"
    assert await scene.money() == (given, 0, 10 - given)


async def _some_are_durable(scene: Scene, orders: Sequence[Mapping[str, Any]]) -> bool:
    """One commit of a process is under way at a time: the others may have waited for it in the process that died."""
    return bool(await scene.database.fetchval(_HOW_MANY, _numbers(orders)))


async def test_killed_between_intent_and_charge(scene: Scene) -> None:
    scene.service.set_channels(Mode.FREEZE)
    orders = [new_order(wallet) for wallet in WALLETS]
    asked = await scene.ask(orders)
    await scene.until_durable(orders)
    await until(lambda: all(door.held > 0 for door in scene.service.channels.values()))
    scene.service.kill_the_first()
    scene.service.set_channels(Mode.DROP_ANSWERS)
    for door in scene.service.channels.values():
        door.open_again()
    await _nobody_was_answered(asked)
    assert await scene.money() == (0, 3, 7), "nobody knows yet: it is held"
    await scene.let_go(orders)
    payments = await scene.end_at_the_other(orders)
    assert {payment["status"] for payment in payments} <= {"failed", "reversed"}
    assert await scene.money() == (0, 0, 10)
    await scene.pool.until_right(scene.campaign_id)


async def test_killed_between_charge_and_outcome(scene: Scene) -> None:
    scene.service.set_channels(Mode.DROP_ANSWERS)
    orders = [new_order(wallet) for wallet in WALLETS]
    asked = await scene.ask(orders)
    await scene.until_durable(orders)
    await _until_captured(scene, orders)
    scene.service.kill_the_first()
    await _nobody_was_answered(asked)
    assert await scene.money() == (0, 3, 7), "an outcome that is unknown holds what it took"
    scene.service.set_channels(Mode.PASS)
    payments = await scene.end_at_the_other(orders)
    assert [(payment["status"], payment["discount"]) for payment in payments] == [("succeeded", OFF_FEN)] * 3
    assert await scene.money() == (3, 0, 7)
    await scene.pool.until_right(scene.campaign_id)


async def _until_captured(scene: Scene, orders: Sequence[Mapping[str, Any]]) -> None:
    query = "SELECT id, wallet, account_id AS channel FROM payments WHERE merchant_order_no = ANY ($1)"
    payments = await scene.database.fetch(query, _numbers(orders))
    simulators = scene.service.stack.simulators

    def are_captured() -> bool:
        trades = [trade["status"] for payment in payments for trade in simulators.trades_of(payment)]
        return trades == ["captured"] * len(orders)

    await until(are_captured)


async def test_killed_before_valkey_is_told_that_a_payment_holds_its_reservation(scene: Scene) -> None:
    order = new_order("unionpay")
    async with scene.slices_held():
        asked = await scene.ask_until_reserved([order])
        scene.service.valkey.mode = Mode.FREEZE
    await until_row(scene.database, "SELECT FROM payments WHERE merchant_order_no = $1 AND status = 'succeeded'",
                    order["merchant_order_no"])  # fmt: skip
    scene.service.kill_the_first()
    assert await scene.in_valkey() == (9 * OFF_FEN, 1), "nobody has told it"
    await _is_put_right(scene)
    await asyncio.gather(*asked)
    [payment] = await scene.end_at_the_other([order])
    assert (payment["status"], payment["discount"]) == ("succeeded", OFF_FEN)
    assert await scene.money() == (1, 0, 9)
    assert await scene.in_valkey() == (9 * OFF_FEN, 0)


async def test_killed_before_valkey_is_told_that_a_failed_payment_gave_back(scene: Scene) -> None:
    scene.service.set_channels(Mode.FREEZE)
    order = new_order("unionpay", "9001")
    asked = await scene.ask([order])
    await until(lambda: scene.service.channels["unionpay"].held > 0)
    await scene.until_reserved(0)  # it is held by its payment now
    scene.service.valkey.mode = Mode.FREEZE
    scene.service.set_channels(Mode.PASS)
    await until_row(scene.database, "SELECT FROM payments WHERE merchant_order_no = $1 AND status = 'failed'",
                    order["merchant_order_no"])  # fmt: skip
    scene.service.kill_the_first()
    assert await scene.in_valkey() == (9 * OFF_FEN, 0), "nobody has told it"
    assert await scene.money() == (0, 0, 10)
    await _is_put_right(scene)
    await asyncio.gather(*asked)
    [payment] = await scene.end_at_the_other([order])
    assert payment["status"] == "failed"
    payments = await asyncio.gather(*[scene.till.ring_up(new_order("unionpay"), gateway=1) for _ in range(10)])
    assert [payment["discount"] for payment in payments] == [OFF_FEN] * 10


async def _is_put_right(scene: Scene) -> None:
    """What Valkey was not told, the worker's next rounds find."""
    scene.service.valkey.open_again()
    began = time.monotonic()
    await scene.pool.until_right(scene.campaign_id)
    sys.stderr.write(f"\nwhat Valkey was not told was put right after {time.monotonic() - began:.1f} s\n")
    assert time.monotonic() - began < 2 * ROUND_S + _SLACK_S


async def test_a_worker_killed_while_it_gives_back_what_a_dead_gateway_left(scene: Scene) -> None:
    [worker] = scene.service.stack.workers
    scene.service.set_channels(Mode.FREEZE)
    orders = [new_order(wallet) for wallet in WALLETS]
    asked = await scene.ask(orders)
    await scene.until_durable(orders)
    await until(lambda: all(door.held > 0 for door in scene.service.channels.values()))
    scene.service.kill_the_first()
    await _nobody_was_answered(asked)
    async with scene.slices_held():
        for door in scene.service.channels.values():
            door.open_again()
        await scene.let_go(orders)
        await until_row(scene.database, _WAITING)  # for the slice that it would give back to
        kill(worker)
        await scene.end_who_waits()
    assert await scene.money() == (0, 3, 7), "nothing was given back"
    worker.start()
    payments = await scene.end_at_the_other(orders)
    assert {payment["status"] for payment in payments} <= {"failed", "reversed"}
    assert await scene.money() == (0, 0, 10), "and then once"
    await scene.pool.until_right(scene.campaign_id)
