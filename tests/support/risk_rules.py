"""Risk rule sets for tests, published and in force in every process; and the decisions that came of them."""

from __future__ import annotations

import re
from typing import Any, Final

import asyncpg
import httpx

from tests.support.gateway import GatewayStack
from tests.support.waiting import eventually

RULE_SETS: Final = "/admin/v1/risk/rule_sets"
_VERSION: Final = re.compile(r"^mashang_risk_rule_set_version (\d+)", re.MULTILINE)


def rule(when: str, action: str = "decline", **more: Any) -> dict[str, Any]:
    """A rule as it is written; its code is R_ and its action unless it is named."""
    return {"code": f"R_{action.upper()}", "when": when, "action": action, **more}


async def published(stack: GatewayStack, *rules: dict[str, Any], **more: Any) -> int:
    """Save and publish a rule set, and wait until every process goes by it; its version."""
    document = {"note": "a test", "rules": list(rules), **more}
    async with stack.admin() as admin:
        saved = await admin.post(RULE_SETS, json=document)
        assert saved.status_code == 201, saved.text
        version: int = saved.json()["version"]
        answer = await admin.post(f"{RULE_SETS}/{version}/publish")
        assert answer.status_code == 200, answer.text
    await in_force(stack, version)
    return version


async def without_rules(stack: GatewayStack) -> None:
    """Nothing is screened any more, in any process."""
    async with stack.admin() as admin:
        answer = await admin.post(f"{RULE_SETS}/0/roll_back")
        assert answer.status_code == 200, answer.text
    await in_force(stack, 0)


async def in_force(stack: GatewayStack, version: int) -> None:
    """Wait until every process goes by that version."""
    async with stack.admin() as client:
        await eventually(lambda: _is_everywhere(client, version), 10)


async def _is_everywhere(client: httpx.AsyncClient, version: int) -> bool:
    """The gauge is the lowest of all processes; a version that is rolled back to is lower than what was there."""
    found = _VERSION.search((await client.get("/metrics")).text)
    return found is not None and int(found[1]) == version


async def decision_of(database: asyncpg.Connection, payment: dict[str, Any]) -> asyncpg.Record | None:
    """The decision's row."""
    return await database.fetchrow("SELECT * FROM risk_decisions WHERE payment_id = $1", payment["id"])
