"""SIGKILL of a gateway while a customer taps "pay": his next tap, at another gateway, finds the same order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.cashier import CashierPage, Customer, code_of_one, made_code
from tests.support.channels import Simulators
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, kill, start_gateway
from tests.support.lengths import cases
from tests.support.looking import attempts_of, events_of, until_row
from tests.support.proxy import Mode
from tests.support.till import new_order
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "2"}
_WALLETS: Final = ("wechat", "alipay")
_OPENED: Final = "SELECT payment_id FROM attempts WHERE merchant_id = $1 AND state = 'open' AND page_sealed IS NULL"


@dataclass(frozen=True, slots=True)
class Service:
    """Two gateways and a worker, with a door to each channel; the first gateway is the one to be killed."""

    stack: GatewayStack
    channels: Mapping[str, Door]

    def set_channels(self, mode: Mode) -> None:
        """What happens on the way to the channels."""
        for door in self.channels.values():
            door.mode = mode

    def kill_the_first(self) -> None:
        """SIGKILL; what it had sent and not yet heard of is lost."""
        kill(self.stack.gateways[0])
        for door in self.channels.values():
            door.open_again()
        self.stack.gateways[0].start()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators, doors: Doors
) -> Iterator[Service]:
    """The module's service."""
    channels, through = doors.before_simulators(simulators)
    folder = tmp_path_factory.mktemp("stack")
    with start_gateway(
        folder, database_url, redis_url, through, gateways=2, settings=_SETTINGS, callbacks=True
    ) as stack:
        yield Service(stack, channels)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def audited(service: Service, database_url: str, book: ClientBook) -> AsyncIterator[None]:
    """After each test both gateways run again, and the audit agrees; one payment is in the books in any case."""
    async with PatientTill(service.stack.urls, service.stack.shop.key.secret, book) as till:
        await till.ring_up(new_order(), gateway=1)
    yield
    service.set_channels(Mode.PASS)
    await asyncio.to_thread(service.stack.wait_ready, service.stack.gateways[0])
    await audit_here(database_url, service.stack.simulators, book)


@pytest.mark.parametrize("wallet", cases(_WALLETS, ["wechat"]))
async def test_killed_before_the_channel_hears_of_the_order_of_a_sale(
    service: Service, database: asyncpg.Connection, wallet: str
) -> None:
    async with service.stack.till(gateway=1) as till, Customer(service.stack, wallet) as customer:
        page = await customer.open((await made_code(till))["url"])
        service.set_channels(Mode.FREEZE)
        tapped = asyncio.create_task(_tap(customer, page, amount=1_250))
        payment_id = await _opened(service, database)
        service.kill_the_first()
        assert await tapped is None
        assert _orders(service, wallet, payment_id) == []
        await _is_paid_at_the_other(service, customer, page, amount=1_250)
    await _is_kept_once(service, database, wallet, payment_id)


@pytest.mark.parametrize("wallet", cases(_WALLETS, ["wechat"]))
async def test_killed_when_the_order_is_there_and_its_page_is_on_the_way(
    service: Service, database: asyncpg.Connection, wallet: str
) -> None:
    async with service.stack.till(gateway=1) as till, Customer(service.stack, wallet) as customer:
        page = await customer.open((await code_of_one(till))["url"])
        service.set_channels(Mode.DROP_ANSWERS)
        tapped = asyncio.create_task(_tap(customer, page))
        payment_id = await _opened(service, database)
        await until(lambda: _orders(service, wallet, payment_id) != [])
        service.kill_the_first()
        assert await tapped is None
        await _is_paid_at_the_other(service, customer, page)
    await _is_kept_once(service, database, wallet, payment_id)


async def test_killed_while_two_wallets_race_one_of_them_is_let_in_at_the_other_gateway(
    service: Service, database: asyncpg.Connection
) -> None:
    async with (
        service.stack.till(gateway=1) as till,
        Customer(service.stack, "wechat") as first,
        Customer(service.stack, "alipay") as second,
    ):
        code = await code_of_one(till)
        pages = {customer: await customer.open(code["url"]) for customer in (first, second)}
        service.set_channels(Mode.DROP_ANSWERS)
        tapped = [asyncio.create_task(_tap(customer, page)) for customer, page in pages.items()]
        payment_id = await _opened(service, database)
        service.kill_the_first()
        await asyncio.gather(*tapped)
        [attempt] = await attempts_of(database, payment_id)
        winner = first if attempt["account_id"].startswith("wechat") else second
        loser = second if winner is first else first
        await _is_paid_at_the_other(service, winner, pages[winner])
        loser.go_to(service.stack.urls[1])
        assert (await loser.pay(pages[loser]))["status"] == "paid"
    await _is_kept_once(service, database, winner.wallet, payment_id)


async def _tap(customer: Customer, page: CashierPage, amount: int | None = None) -> httpx.Response | None:
    """None where no answer came."""
    try:
        return await customer.asked(page, amount)
    except httpx.TransportError:
        return None


async def _opened(service: Service, database: asyncpg.Connection) -> str:
    """The payment whose order is durable and has no page yet."""
    await until_row(database, _OPENED, service.stack.shop.id)
    found: str = await database.fetchval(_OPENED, service.stack.shop.id)
    return found


def _orders(service: Service, wallet: str, payment_id: str) -> list[dict[str, Any]]:
    """What the channel knows of the payment, whichever attempt it was."""
    ulid = payment_id.removeprefix("pay_")
    return [trade for trade in service.stack.simulators.trades(wallet) if trade["order_no"].startswith(ulid)]


async def _is_paid_at_the_other(
    service: Service, customer: Customer, page: CashierPage, amount: int | None = None
) -> None:
    """The page asks again, as it tells its customer to, and the customer pays."""
    customer.go_to(service.stack.urls[1])
    deadline = time.monotonic() + 20
    while (answer := await customer.pay(page, amount))["status"] != "ready":
        assert answer["status"] in {"busy", "refused"}, answer
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.1)
    await customer.confirm(answer)
    await customer.until(page, "paid")


async def _is_kept_once(service: Service, database: asyncpg.Connection, wallet: str, payment_id: str) -> None:
    assert [attempt["state"] for attempt in await attempts_of(database, payment_id)] == ["captured"]
    types = [event["type"] for event in await events_of(database, payment_id)]
    assert types == ["payment.code_shown", "payment.attempt_opened", "payment.captured"]
    [trade] = _orders(service, wallet, payment_id)
    assert (trade["status"], trade["refunded"]) == ("captured", 0)
