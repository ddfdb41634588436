"""Routing policies for tests, published and in force everywhere; and a second way to WeChat Pay, to have a choice."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx

from tests.support.accounts import ACCOUNTS, settings_of
from tests.support.gateway import GatewayStack
from tests.support.waiting import eventually

POLICY: Final = "/admin/v1/routing/policy"
EXPLAIN: Final = "/admin/v1/routing/explain"
SECOND: Final = "wechat_second"


async def add_second_account(stack: GatewayStack, admin: httpx.AsyncClient) -> None:
    """One more way to WeChat Pay, and every process knows of it."""
    wanted = {"id": SECOND, "channel": "wechat", "priority": 200, "settings": settings_of(stack, "wechat_direct")}
    answer = await admin.post(ACCOUNTS, json=wanted)
    assert answer.status_code == 201, answer.text
    for number in range(len(stack.urls)):
        async with stack.admin(gateway=number) as client:
            await eventually(lambda client=client: _knows(client, SECOND))  # type: ignore[misc]


async def _knows(client: httpx.AsyncClient, account_id: str) -> bool:
    listed = (await client.get("/admin/v1/routing/accounts")).json()["data"]
    return account_id in {account["id"] for account in listed}


async def put(admin: httpx.AsyncClient, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Publish a policy of these rules."""
    answer = await admin.put(POLICY, json={"rules": list(rules), **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def in_force(stack: GatewayStack, version: int) -> None:
    """Wait until every gateway process decides by that version."""

    async def decides(client: httpx.AsyncClient) -> bool:
        answer = await client.post(EXPLAIN, json={"amount": 1, "wallet": "wechat"})
        return bool(answer.json()["now"]["policy_version"] == version)

    async def wait(number: int) -> None:
        async with stack.admin(gateway=number) as client:
            await eventually(lambda: decides(client), 5)

    await asyncio.gather(*[wait(number) for number in range(len(stack.urls))])
