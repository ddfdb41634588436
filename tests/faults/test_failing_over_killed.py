"""SIGKILL, SIGSTOP and a lost database at every step of failing over: captured once at most, and in bounded time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import FRONT, Simulators, start_simulators
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, kill
from tests.support.looking import attempts_of, events_of, until_count, until_row
from tests.support.proxy import Mode
from tests.support.till import FINAL, WALLETS, new_order
from tests.support.two_routes import FRONT_ACCOUNT, Routes, two_routes
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "2"}
_BOUND_S: Final = 15.0
"""From the fault to the end of the payment: what two attempts take, and the worker's first steps on a busy machine."""
_SLOW_S: Final = 1.2
"""So long does PostgreSQL take to commit a second attempt where a test asks for it: time enough for a kill."""
_SLOWLY: Final = f"""
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({_SLOW_S}); RETURN NEW; END $$;
CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON attempts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.seq > 1) EXECUTE FUNCTION slowly();
"""
_SLEEPING: Final = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


@dataclass(frozen=True, slots=True)
class Service:
    """Two gateway processes and a worker, two routes for every wallet, with doors to everything."""

    routes: Routes
    postgres: Door

    @property
    def stack(self) -> GatewayStack:
        return self.routes.stack

    def kill_the_first(self) -> None:
        """SIGKILL."""
        kill(self.stack.gateways[0])


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory, channel_keys: Path) -> Iterator[Simulators]:
    """The module's four."""
    with start_simulators(tmp_path_factory.mktemp("simulators"), channel_keys, front=True) as running:
        yield running


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators, doors: Doors
) -> Iterator[Service]:
    """The module's service."""
    postgres, url = doors.before_postgres(database_url)
    folder = tmp_path_factory.mktemp("stack")
    with two_routes(folder, url, redis_url, simulators, doors, gateways=2, settings=_SETTINGS) as routes:
        yield Service(routes, postgres)


@pytest_asyncio.fixture(loop_scope="module")
async def till(service: Service, book: ClientBook) -> AsyncIterator[PatientTill]:
    """A till that knows both processes, on a service whose direct channels take payments."""
    await service.routes.settled_policy()
    async with PatientTill(service.stack.urls, service.stack.shop.key.secret, book, keep_alive=False) as opened:
        deadline = time.monotonic() + 40
        for wallet in WALLETS:
            for gateway in range(2):
                while (await opened.ring_up(new_order(wallet), gateway=gateway))["channel"] != f"{wallet}_direct":
                    assert time.monotonic() < deadline, f"{wallet}_direct does not come back"
                    await asyncio.sleep(0.1)
        yield opened


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def mended(service: Service, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """After each test everything runs again, and the audit agrees."""
    yield
    service.postgres.unshut()
    service.postgres.open_again()
    service.routes.mend()
    first = service.stack.gateways[0]
    if not first.running:
        await asyncio.to_thread(service.stack.restart, first)
    await audit_here(database_url, service.stack.simulators, book)


@asynccontextmanager
async def opening_slowly(database: asyncpg.Connection) -> AsyncIterator[None]:
    """PostgreSQL takes its time for every second attempt."""
    await database.execute(_SLOWLY)
    try:
        yield
    finally:
        await database.execute("DROP TRIGGER slowly ON attempts; DROP FUNCTION slowly()")


async def ask(
    till: PatientTill, database: asyncpg.Connection, wallets: Sequence[str] = WALLETS, **more: Any
) -> tuple[list[dict[str, Any]], list[asyncio.Task[Any]]]:
    """A payment on each wallet, asked of the first gateway, once their intents are durable."""
    orders = [new_order(wallet) for wallet in wallets]
    asked = [asyncio.create_task(till.ask(order, **{"wait_s": 3, **more})) for order in orders]
    query = "SELECT count(*) FROM payments WHERE merchant_order_no = ANY ($1)"
    await until_count(database, len(orders), query, [order["merchant_order_no"] for order in orders])
    return orders, asked


async def let_go(database: asyncpg.Connection, orders: Sequence[Mapping[str, Any]]) -> None:
    """The customers have gone: what is not decided by now is reversed."""
    numbers = [order["merchant_order_no"] for order in orders]
    await database.execute("UPDATE payments SET expires_at = now() WHERE merchant_order_no = ANY ($1)", numbers)


async def ends(till: PatientTill, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same requests again, at the gateway that lives, until every payment has its end."""
    return list(await asyncio.gather(*[_end(till, order) for order in orders]))


async def _end(till: PatientTill, order: Mapping[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + _BOUND_S
    while True:
        answer = await till.ask(order, gateway=1, wait_s=1)
        if answer is not None and answer.status_code in {200, 201}:
            payment: dict[str, Any] = answer.json()
            if payment["status"] in FINAL and payment["reversal"] != "pending":
                return payment
        assert time.monotonic() < deadline, answer and answer.text
        await asyncio.sleep(0.05)


async def states(database: asyncpg.Connection, payment: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(attempt["account_id"], attempt["state"]) for attempt in await attempts_of(database, payment["id"])]


def nothing_is_kept(service: Service, payment: Mapping[str, Any]) -> None:
    """No channel holds money of a payment that came to nothing."""
    assert payment["status"] in {"failed", "reversed"}, payment
    assert {state for _, _, state in service.routes.trades(payment)} <= {"reversed"}  # Alipay shuts what never was


async def test_killed_before_the_next_attempt_is_durable(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    async with opening_slowly(database):
        service.routes.shut_direct()
        orders, asked = await ask(till, database, ["wechat"])
        await until_row(database, _SLEEPING)
        service.kill_the_first()
        await database.execute(f"SELECT pg_terminate_backend(pid) FROM ({_SLEEPING}) s")
    assert await asyncio.gather(*asked) == [None]
    service.routes.mend()
    await let_go(database, orders)
    [payment] = await ends(till, orders)
    nothing_is_kept(service, payment)
    assert await states(database, payment) == [("wechat_direct", "not_created")]


async def test_killed_when_the_next_attempt_is_durable_and_nobody_has_heard_of_it(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    async with opening_slowly(database):
        service.routes.shut_direct()
        orders, asked = await ask(till, database, ["wechat"])
        await until_row(database, _SLEEPING)
        service.kill_the_first()
        await until_row(database, "SELECT FROM attempts WHERE seq = 2 AND state = 'open'")
    assert await asyncio.gather(*asked) == [None]
    service.routes.mend()
    await let_go(database, orders)
    [payment] = await ends(till, orders)
    nothing_is_kept(service, payment)
    assert await states(database, payment) == [("wechat_direct", "unsent"), (FRONT_ACCOUNT, "not_created")]


async def test_killed_before_the_second_channel_hears_of_the_charge(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.routes.shut_direct()
    service.routes.front.mode = Mode.FREEZE
    orders, asked = await ask(till, database)
    await until(lambda: service.routes.front.held >= 3)
    service.kill_the_first()
    service.routes.mend()
    assert await asyncio.gather(*asked) == [None] * 3
    await let_go(database, orders)
    for payment in await ends(till, orders):
        nothing_is_kept(service, payment)
        assert (await states(database, payment))[0] == (f"{payment['wallet']}_direct", "unsent")
        assert payment["channel"] == FRONT_ACCOUNT


async def test_killed_when_the_second_channel_has_charged_and_its_answer_is_on_the_way(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.routes.shut_direct()
    service.routes.front.mode = Mode.DROP_ANSWERS
    orders, asked = await ask(till, database)
    payments = await database.fetch(
        "SELECT id FROM payments WHERE merchant_order_no = ANY ($1)", [order["merchant_order_no"] for order in orders]
    )
    await until(lambda: all(service.routes.trades(payment) == [(FRONT, "2", "captured")] for payment in payments))
    service.kill_the_first()
    service.routes.mend()
    assert await asyncio.gather(*asked) == [None] * 3
    for payment in await ends(till, orders):
        await is_kept_once(service, database, payment)


async def test_killed_when_the_second_outcome_is_durable_and_the_till_has_no_answer(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    service.routes.shut_direct()
    orders, asked = await ask(till, database)
    numbers = [order["merchant_order_no"] for order in orders]
    query = "SELECT count(*) FROM payments WHERE merchant_order_no = ANY ($1) AND status = 'succeeded'"
    await until_count(database, 3, query, numbers)
    service.kill_the_first()
    await asyncio.gather(*asked)
    for payment in await ends(till, orders):
        await is_kept_once(service, database, payment)


async def test_a_connection_to_the_database_that_breaks_in_between_is_settled_by_sending_again(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    """The first commit goes on at the server, unheard; the second sending waits for it and finds the attempt."""
    async with opening_slowly(database):
        service.routes.shut_direct()
        orders, asked = await ask(till, database, ["wechat"])
        await until_row(database, _SLEEPING)
        service.postgres.reset()
        answers = await asyncio.gather(*asked)
    assert answers[0].status_code == 201, answers[0].text
    [payment] = await ends(till, orders)
    await is_kept_once(service, database, payment)


async def test_a_database_that_stays_away_leaves_the_payment_to_the_worker_and_nobody_is_asked(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    async with opening_slowly(database):
        service.routes.shut_direct()
        orders, asked = await ask(till, database, ["wechat"], wait_s=14)
        await until_row(database, _SLEEPING)
        await database.execute(f"SELECT pg_terminate_backend(pid) FROM ({_SLEEPING}) s")
        service.postgres.shut()
        answers = await asyncio.gather(*asked)
        service.postgres.unshut()
    assert answers[0] is not None
    assert (answers[0].status_code, answers[0].json()["status"]) == (201, "processing")
    service.routes.mend()
    await let_go(database, orders)
    [payment] = await ends(till, orders)
    nothing_is_kept(service, payment)
    assert await states(database, payment) == [("wechat_direct", "not_created")]


async def test_a_process_that_slept_while_a_worker_took_over_does_not_go_on_elsewhere(
    service: Service, till: PatientTill, database: asyncpg.Connection
) -> None:
    """It wakes with an attempt that surely was not sent; the payment has had its end meanwhile."""
    first, direct = service.stack.gateways[0], service.routes.doors["wechat"]
    async with opening_slowly(database):
        direct.shut()
        orders, asked = await ask(till, database, ["wechat"])
        await until_row(database, _SLEEPING)
        first.send(signal.SIGSTOP)
        await database.execute(f"SELECT pg_terminate_backend(pid) FROM ({_SLEEPING}) s")
    try:
        service.routes.mend()
        await let_go(database, orders)
        [payment] = await ends(till, orders)
        nothing_is_kept(service, payment)
    finally:
        first.send(signal.SIGCONT)
    answers = await asyncio.gather(*asked)
    assert answers[0] is not None
    assert answers[0].status_code == 201, answers[0].text
    assert answers[0].json()["status"] in {"processing", payment["status"]}
    assert await states(database, payment) == [("wechat_direct", "not_created")]
    assert {channel for channel, _, _ in service.routes.trades(payment)} <= {"wechat"}


async def is_kept_once(service: Service, database: asyncpg.Connection, payment: Mapping[str, Any]) -> None:
    """Paid at the front, and nowhere else."""
    assert (payment["status"], payment["channel"]) == ("succeeded", FRONT_ACCOUNT)
    assert await states(database, payment) == [
        (f"{payment['wallet']}_direct", "unsent"),
        (FRONT_ACCOUNT, "captured"),
    ]
    assert service.routes.trades(payment) == [(FRONT, "2", "captured")]
    types = [event["type"] for event in await events_of(database, payment["id"])]
    assert types == ["payment.created", "payment.attempt_opened", "payment.captured"]
