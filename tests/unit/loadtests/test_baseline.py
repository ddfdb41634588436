"""The baseline gives the guarantees that it is compared for: over both transports, against the real servers."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from gateway.devstack.ready import Processes, ReadyFile
from gateway.devstack.secrets import MerchantSecrets
from loadtests.bench.servers import Server, TransportName, baselines
from loadtests.stack import RunningStack
from loadtests.traffic.orders import Orders
from routing.simulators.provision import provision
from tests.support.servers import TestServers

pytestmark = pytest.mark.slow
KEY = "sk_test_baseline"
_runs = count(1)


@pytest.fixture(scope="module")
def stack(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> RunningStack:
    """What the baseline needs of a stack: the stores and the simulators' keys."""
    state = tmp_path_factory.mktemp("state")
    keys = provision(state / "keys", dict.fromkeys(("wechat", "alipay", "unionpay"), "http://127.0.0.1:9"))
    ready = ReadyFile(
        gateway="http://127.0.0.1:9",
        admin_token="none",
        merchant=MerchantSecrets(id="mer_1", api_key=KEY, key_id="key_1", signing_secret="none", webhook_secret="none"),
        simulators=keys.ready,
        database_url=servers.admin_url,
        redis_url=servers.empty_redis(),
        processes=Processes(gateway=[], worker=[], postgres=None, valkey=None, simulators=[]),
    )
    return RunningStack(ready, state)


@pytest.fixture(scope="module")
def running(stack: RunningStack) -> Iterator[dict[TransportName, Server]]:
    with baselines(stack) as started:
        yield started


@pytest.fixture(params=["aiohttp", "httpx"])
def url(running: dict[TransportName, Server], request: pytest.FixtureRequest) -> str:
    return running[request.param].url


@pytest.fixture
def order() -> dict[str, Any]:
    body = Orders(next(_runs), ["wechat"]).first(1)[0][1]
    document: dict[str, Any] = orjson.loads(body)
    return document


def pay(url: str, order: dict[str, Any], key: str = KEY) -> httpx.Response:
    return httpx.post(url, json=order, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=20)


def magic(tail: str) -> str:
    """A new payment code whose last four digits tell the simulator what to do."""
    return f"13{next(_runs):012d}{tail}"


async def books(stack: RunningStack, payment_id: str) -> dict[str, list[asyncpg.Record]]:
    """Everything that is stored of a payment."""
    connection = await asyncpg.connect(stack.ready.database_url, database="mashang_baseline")
    try:
        return {
            table: await connection.fetch(f"SELECT * FROM {table} WHERE payment_id = $1 ORDER BY seq", payment_id)
            for table in ("attempts", "events", "transfers")
        }
    finally:
        await connection.close()


async def used(stack: RunningStack) -> int:
    """What payments took of the campaign."""
    return int(await campaign(stack, "SELECT used FROM campaigns"))


async def limit(stack: RunningStack, budget: int) -> None:
    await campaign(stack, f"UPDATE campaigns SET budget = {budget}")


async def campaign(stack: RunningStack, statement: str) -> Any:
    connection = await asyncpg.connect(stack.ready.database_url, database="mashang_baseline")
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_payment_is_captured_and_booked(url: str, stack: RunningStack, order: dict[str, Any]) -> None:
    answer = pay(url, order | {"amount": 499})
    assert answer.status_code == 201
    payment = answer.json()
    assert payment["status"] == "succeeded"
    assert payment["channel_trade_no"]
    stored = await books(stack, payment["id"])
    assert [row["state"] for row in stored["attempts"]] == ["captured"]
    assert [row["type"] for row in stored["events"]] == ["payment.created", "payment.succeeded"]
    assert stored["transfers"][0]["amount"] == 499


async def test_a_discount_is_taken_from_the_budget_once_and_booked_to_its_funders(
    url: str, stack: RunningStack, order: dict[str, Any]
) -> None:
    before = await used(stack)
    answer = pay(url, order | {"amount": 2_000})
    pay(url, order | {"amount": 2_000})
    payment = answer.json()
    assert (payment["discount"], payment["payable"]) == (100, 1_900)
    assert await used(stack) == before + 100
    stored = await books(stack, payment["id"])
    assert [(row["debit"], row["amount"]) for row in stored["transfers"] if row["kind"] == "discount"] == [
        ("sponsor_receivable:bank", 70),
        ("merchant_promotion:mer_1", 30),
    ]


async def test_a_refused_code_gives_the_discount_back(url: str, stack: RunningStack, order: dict[str, Any]) -> None:
    before = await used(stack)
    assert pay(url, order | {"amount": 2_000, "auth_code": magic("9001")}).json()["status"] == "failed"
    assert await used(stack) == before


async def test_what_the_budget_does_not_have_is_charged_in_full(
    url: str, stack: RunningStack, order: dict[str, Any]
) -> None:
    await limit(stack, await used(stack) + 99)
    try:
        payment = pay(url, order | {"amount": 2_000}).json()
        assert (payment["status"], payment["payable"], payment["promotions"]) == ("succeeded", 2_000, [])
    finally:
        await limit(stack, 10**14)


def test_the_same_request_again_is_answered_with_the_same_payment(url: str, order: dict[str, Any]) -> None:
    first, again = pay(url, order), pay(url, order)
    assert again.json() == first.json()
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")


def test_another_request_under_the_same_number_is_a_conflict(url: str, order: dict[str, Any]) -> None:
    pay(url, order)
    assert pay(url, order | {"amount": order["amount"] + 1}).status_code == 409


async def test_a_storm_on_one_number_charges_once(url: str, stack: RunningStack, order: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(asyncio.to_thread(pay, url, order) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    stored = await books(stack, answers[0].json()["id"])
    assert len(stored["attempts"]) == 1


def test_a_refused_code_fails_the_payment(url: str, order: dict[str, Any]) -> None:
    refused = pay(url, order | {"auth_code": magic("9001")})
    assert (refused.json()["status"], refused.json()["failure"]) == ("failed", "insufficient_funds")


async def test_a_channel_that_says_nothing_leaves_a_durable_intent(
    url: str, stack: RunningStack, order: dict[str, Any]
) -> None:
    silent = pay(url, order | {"auth_code": magic("9008")})
    assert silent.json()["status"] == "processing"
    stored = await books(stack, silent.json()["id"])
    assert [row["state"] for row in stored["attempts"]] == ["open"]
    assert stored["transfers"] == []


def test_an_unknown_key_is_refused(url: str, order: dict[str, Any]) -> None:
    assert pay(url, order, "sk_test_other").status_code == 401
