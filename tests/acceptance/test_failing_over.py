"""Two routes for every wallet: what one surely did not charge the other takes, and the audit agrees with both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from gateway.payments.detail import PaymentDetail
from tests.support.audits import audit_here
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import FRONT, Simulators, start_simulators
from tests.support.doors import Doors
from tests.support.till import WALLETS, error_of, new_code, new_order, payment_of, shape_of
from tests.support.two_routes import FRONT_ACCOUNT, Routes, two_routes

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """All four."""
    keys = tmp_path_factory.getbasetemp() / "channel-keys"
    with start_simulators(tmp_path_factory.mktemp("simulators"), keys, front=True) as running:
        yield running


@pytest.fixture(scope="module")
def routes(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, simulators: Simulators
) -> Iterator[Routes]:
    """The module's service."""
    with (
        Doors() as doors,
        two_routes(tmp_path_factory.mktemp("stack"), database_url, redis_url, simulators, doors) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientBook]:
    """What the tills were told."""
    opened = ClientBook(tmp_path_factory.mktemp("book") / "clients.jsonl")
    yield opened
    opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(routes: Routes, book: ClientBook) -> AsyncIterator[PatientTill]:
    """A till; the policy asks the direct channels first."""
    await routes.settled_policy()
    async with PatientTill(routes.stack.urls, routes.stack.shop.key.secret, book) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def mended(routes: Routes, database_url: str, book: ClientBook, till: PatientTill) -> AsyncIterator[None]:
    """Before each test the direct channels take payments; after it the audit agrees."""
    deadline = time.monotonic() + 30
    for wallet in WALLETS:
        while (await till.ring_up(new_order(wallet)))["channel"] != f"{wallet}_direct":
            assert time.monotonic() < deadline, f"{wallet}_direct does not come back"
            await asyncio.sleep(0.1)
    yield
    routes.mend()
    await audit_here(database_url, routes.stack.simulators, book)


@pytest.mark.parametrize("wallet", WALLETS)
async def test_a_payment_whose_channel_refuses_connections_is_taken_by_the_other_route(
    routes: Routes, till: PatientTill, wallet: str
) -> None:
    routes.shut_direct()
    payment = await till.ring_up(new_order(wallet))
    assert (payment["status"], payment["channel"], payment["wallet"]) == ("succeeded", FRONT_ACCOUNT, wallet)
    assert routes.trades(payment) == [(FRONT, "2", "captured")]
    detail = await routes.detail(payment["id"])
    attempts = [(each["seq"], each["channel"], each["state"]) for each in detail["attempts"]]
    assert attempts == [(1, f"{wallet}_direct", "unsent"), (2, FRONT_ACCOUNT, "captured")]
    assert detail["attempts"][0]["channel_code"] == "connect_failed"


async def test_operations_see_every_attempt_and_why_and_the_merchant_does_not(
    routes: Routes, till: PatientTill
) -> None:
    routes.shut_direct()
    payment = await till.ring_up(new_order("wechat"))
    detail = await routes.detail(payment["id"])
    documented = PaymentDetail.model_validate(detail).model_dump(mode="json")
    assert set(detail) == set(documented)
    assert shape_of(detail["attempts"][0]) == shape_of(documented["attempts"][0])
    assert detail["merchant_id"] == routes.stack.shop.id
    second = detail["attempts"][1]["routing"]
    assert second["account"] == FRONT_ACCOUNT
    reasons = {each["account"]: each["reason"] for each in second["candidates"]}
    assert (reasons[FRONT_ACCOUNT], reasons["wechat_direct"]) == (None, "tried_before")
    async with routes.stack.admin() as admin, routes.stack.till() as shop:
        assert (await admin.get(f"/v1/payments/{payment['id']}")).json() == detail
        merchants = payment_of(await shop.get(payment["id"]))
        assert set(detail) - set(merchants) == {"merchant_id", "attempts", "refunds", "pricing"}
        error_of(await shop.client.get(f"/admin/v1/payments/{payment['id']}"), 401, "invalid_admin_token")
        error_of(await admin.get("/admin/v1/payments/pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"), 404)
        error_of(await admin.get("/v1/payments/pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"), 404)


async def test_a_code_to_show_comes_from_the_other_route_and_is_paid_there(routes: Routes, till: PatientTill) -> None:
    routes.shut_direct()
    order = new_code("wechat")
    answer = await till.ask(order)
    assert answer is not None
    shown = payment_of(answer, 201)
    assert (shown["status"], shown["channel"]) == ("requires_action", FRONT_ACCOUNT)
    routes.stack.simulators.scan(FRONT, shown["qr_code"], wallet="wechat")
    async with routes.stack.till() as shop:
        paid = await shop.settled(shown["id"])
    assert (paid["status"], paid["channel"]) == ("succeeded", FRONT_ACCOUNT)
    assert routes.trades(paid) == [(FRONT, "2", "captured")]
    await till.ring_up(order)  # the till is told the end too


async def test_a_charge_whose_answer_is_lost_stays_where_it_is(routes: Routes, till: PatientTill) -> None:
    routes.stack.simulators.set_faults("wechat", {"kind": "reset_after_charging", "times": 1})
    payment = await till.ring_up(new_order("wechat"))
    assert (payment["status"], payment["channel"]) == ("succeeded", "wechat_direct")
    assert routes.trades(payment) == [("wechat", "1", "captured")]


async def test_when_nothing_can_be_reached_tills_are_told_so_in_a_tenth_of_a_second_and_it_all_comes_back(
    routes: Routes, till: PatientTill
) -> None:
    for door in routes.doors.values():
        door.shut()
    took: list[float] = []
    for _ in range(60):
        order = new_order("wechat")
        began = time.monotonic()
        answer = await till.ask(order)
        took.append(time.monotonic() - began)
        assert answer is not None
        payment = payment_of(answer, 201)
        assert (payment["status"], payment["failure"]["code"]) == ("failed", "channel_unavailable")
    opened = [await routes.detail(payment["id"])]
    assert opened[0]["attempts"] == [], "the circuit breakers are open: nobody is asked"
    assert sorted(took)[57] < 0.1, took  # a busy machine may be late now and then
    assert sum(each < 0.1 for each in took[-20:]) >= 19
