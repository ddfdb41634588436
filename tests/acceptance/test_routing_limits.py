"""An account's day is full once all processes together have captured its limit, and the next route takes over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.policies import EXPLAIN, SECOND, add_second_account
from tests.support.till import Till
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIRST = "wechat_direct"
AMOUNT = 2_599


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two processes, of which the till knows one."""
    return {"gateways": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        await add_second_account(stack, client)
        yield client


async def reasons(client: httpx.AsyncClient) -> dict[str, str | None]:
    """By account: why it would not take such a payment now."""
    decision = (await client.post(EXPLAIN, json={"amount": AMOUNT, "wallet": "wechat"})).json()["now"]
    return {candidate["account"]: candidate["reason"] for candidate in decision["candidates"]}


async def everywhere(stack: GatewayStack, account_id: str, reason: str | None) -> None:
    """Wait until every process says so of the account."""
    for number in range(len(stack.urls)):
        async with stack.admin(gateway=number) as client:

            async def says_so(client: httpx.AsyncClient = client) -> bool:
                return (await reasons(client)).get(account_id, "unknown") == reason

            await eventually(says_so)


async def test_what_one_process_captured_fills_the_limit_of_all(
    stack: GatewayStack, admin: httpx.AsyncClient, till: Till, database: asyncpg.Connection
) -> None:
    """The account with the limit is the cheaper one: it is chosen as long as it can."""
    limits: dict[str, Any] = {"fee": {"rate_millionths": 0}, "limits": {"day_fen": 2 * AMOUNT}}
    await database.execute("UPDATE channel_accounts SET terms = $2 WHERE id = $1", SECOND, json.dumps(limits))

    async def is_chosen() -> bool:
        answer = await admin.post(EXPLAIN, json={"amount": AMOUNT, "wallet": "wechat"})
        return bool(answer.json()["now"]["account"] == SECOND)

    await eventually(is_chosen)
    for _ in range(2):
        await till.paid("wechat")
    await everywhere(stack, SECOND, "day_limit")
    captured = await database.fetchval("SELECT sum(captured_fen) FROM account_days WHERE account_id = $1", SECOND)
    assert captured == 2 * AMOUNT
    payment = await till.paid("wechat")
    attempts = await database.fetch("SELECT account_id FROM attempts WHERE payment_id = $1", payment["id"])
    assert [attempt["account_id"] for attempt in attempts] == [FIRST]


async def test_where_every_account_is_full_there_is_no_channel(
    stack: GatewayStack, admin: httpx.AsyncClient, till: Till, database: asyncpg.Connection
) -> None:
    limits = {"limits": {"payment_max_fen": AMOUNT - 1}}
    await database.execute("UPDATE channel_accounts SET terms = $2 WHERE id = $1", FIRST, json.dumps(limits))
    await everywhere(stack, FIRST, "above_maximum")
    payment = await till.taken("wechat")
    assert (payment["status"], payment["failure"]["code"]) == ("failed", "no_channel")
    payment = await till.paid("wechat", amount=AMOUNT - 1)
    assert payment["amount"] == AMOUNT - 1
