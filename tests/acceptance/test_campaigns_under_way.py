"""Managers change a campaign while tills take payments of it: every change holds from its answer on, to the fen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from tests.support.campaign_lives import CAMPAIGNS, document
from tests.support.gateway import GatewayStack
from tests.support.till import Till, error_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
LIMITS = {"budget": 200_000, "budget_per_day": None, "per_customer": None}


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes: what one is told, the other has to follow."""
    return {"gateways": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tills(stack: GatewayStack) -> AsyncIterator[list[Till]]:
    async with stack.till(gateway=0) as first, stack.till(gateway=1) as second:
        yield [first, second]


@pytest_asyncio.fixture(loop_scope="module")
async def path(admin: httpx.AsyncClient, tills: list[Till]) -> AsyncIterator[str]:
    """A campaign of its own for each test, that both processes know; it has ended afterwards."""
    given = document(condition="payment.wallet == 'wechat'", limits=LIMITS, slices=4)
    created = (await admin.post(CAMPAIGNS, json=given)).json()
    path = f"{CAMPAIGNS}/{created['id']}"
    await done(admin.post(f"{path}/activate"))
    for till in tills:
        async with asyncio.timeout(5):
            while (await till.paid("wechat"))["discount"] != 500:
                pass
    yield path
    await done(admin.post(f"{path}/end"))


async def done(call: Any) -> dict[str, Any]:
    """What a change answers."""
    answer: httpx.Response = await call
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def top_up(admin: httpx.AsyncClient, path: str, amount: int, key: str) -> dict[str, Any]:
    return await done(admin.post(f"{path}/top_up", json={"amount": amount}, headers={"Idempotency-Key": key}))


async def balance(admin: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """Its budget, whose parts come to the whole."""
    budget: dict[str, Any] = (await done(admin.get(path)))["budget"]
    parts = [budget[name] for name in ("spent", "held", "left", "returned_to_sponsor")]
    assert sum(parts) == budget["total"], budget
    assert min(parts) >= 0, budget
    return budget


@asynccontextmanager
async def customers(tills: list[Till], number: int = 6) -> AsyncIterator[list[dict[str, Any]]]:
    """Payments one after the other at each of some tills; those that are answered so far."""
    paid: list[dict[str, Any]] = []
    closing = asyncio.Event()

    async def queue(till: Till) -> None:
        while not closing.is_set():
            paid.append(await till.paid("wechat"))

    queues = [asyncio.create_task(queue(tills[n % len(tills)])) for n in range(number)]
    try:
        yield paid
    finally:
        closing.set()
        await asyncio.gather(*queues)


async def discounts_now(tills: list[Till]) -> set[int]:
    """What payments get that begin now, at every process."""
    payments = await asyncio.gather(*[till.paid("wechat") for till in tills for _ in range(4)])
    return {payment["discount"] for payment in payments}


async def test_each_change_holds_from_its_answer_on(admin: httpx.AsyncClient, tills: list[Till], path: str) -> None:
    async with customers(tills) as paid:
        better = {"type": "amount_off", "tiers": [{"spend": 2000, "off": 600}]}
        for _ in range(3):
            await done(admin.post(f"{path}/pause"))
            assert await discounts_now(tills) == {0}
            await done(admin.patch(path, json={"benefit": better}))
            await done(admin.post(f"{path}/resume"))
            await follows(tills, 600)
            await done(admin.patch(path, json={"benefit": document()["benefit"]}))
            assert await discounts_now(tills) == {500}
            await balance(admin, path)
    assert {payment["discount"] for payment in paid} <= {0, 500, 600}


async def follows(tills: list[Till], discount: int) -> None:
    """Wait until every process gives that: a process learns of a campaign that is there again within a second."""
    for till in tills:
        async with asyncio.timeout(5):
            while (await till.paid("wechat"))["discount"] != discount:
                pass


async def test_top_ups_under_load_add_to_the_fen_and_touch_nothing_else(
    admin: httpx.AsyncClient, tills: list[Till], path: str
) -> None:
    before = await balance(admin, path)
    async with customers(tills) as paid:
        keys = [new_ulid() for _ in range(5)]
        await asyncio.gather(*[top_up(admin, path, 1_000, key) for key in keys for _ in range(4)])
    assert {payment["discount"] for payment in paid} == {500}
    after = await balance(admin, path)
    assert after["total"] == before["total"] + 5_000
    assert after["spent"] == before["spent"] + 500 * len(paid)
    assert after["held"] == 0


async def test_a_campaign_that_ran_dry_gives_again_soon_after_a_top_up(
    admin: httpx.AsyncClient, tills: list[Till], path: str
) -> None:
    used = await balance(admin, path)
    await done(admin.patch(path, json={"limits": {"budget": used["spent"] + used["held"] + 500}}))
    async with asyncio.timeout(10):
        while 500 in await discounts_now(tills):
            pass
    await top_up(admin, path, 100_000, new_ulid())
    await follows(tills, 500)


async def test_a_budget_that_is_lowered_under_load_is_never_overspent(
    admin: httpx.AsyncClient, tills: list[Till], path: str
) -> None:
    async with customers(tills, 8) as paid:
        budget = LIMITS["budget"]
        while budget is not None:
            used = await balance(admin, path)
            budget = used["spent"] + used["held"] + 1_500
            answer = await admin.patch(path, json={"limits": {"budget": budget}})
            if answer.status_code == 409:
                error_of(answer, 409, "below_used", "limits.budget")
                continue
            shown = await balance(admin, path)
            if shown["left"] < 500:
                break
    found = await balance(admin, path)
    assert found["total"] == budget
    assert found["held"] == 0
    assert 0 <= found["left"] < 500, "all that can be given was given"
    assert Counter(payment["discount"] for payment in paid).keys() <= {0, 500}
    assert await discounts_now(tills) == {0}


async def test_the_end_under_load_returns_exactly_what_is_left(
    admin: httpx.AsyncClient, tills: list[Till], path: str
) -> None:
    before = await balance(admin, path)
    async with customers(tills) as paid:
        await asyncio.sleep(0)
        while len(paid) < 20:
            await balance(admin, path)
        ended = (await done(admin.post(f"{path}/end")))["budget"]
        assert ended["left"] == 0
        assert await discounts_now(tills) == {0}
    found = await balance(admin, path)
    given = [payment for payment in paid if payment["discount"]]
    assert found["spent"] == before["spent"] + sum(payment["discount"] for payment in given)
    assert found["returned_to_sponsor"] == found["total"] - found["spent"]
    assert ended["spent"] + ended["held"] == found["spent"], "nothing was taken after the end was answered"
