"""Every payment is screened by the rules in force: approved, reviewed, declined, or taken without its subsidy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from tests.support.gateway import GatewayStack
from tests.support.risk_rules import decision_of, published, rule, without_rules
from tests.support.till import Till, payment_of

HIGH = rule("payment.amount > 50000")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def afterwards_no_rules(stack: GatewayStack) -> AsyncIterator[None]:
    yield
    await without_rules(stack)


async def test_a_payment_that_a_rule_declines_fails_with_the_rules_code(
    stack: GatewayStack, database: asyncpg.Connection, till: Till
) -> None:
    version = await published(stack, HIGH)
    declined = await till.taken(amount=50_001)
    assert (declined["status"], declined["failure"]["code"]) == ("failed", "risk_declined")
    assert declined["failure"]["retryable"] is False
    assert declined["risk"] == {"decision": "decline", "score": 0, "reasons": ["R_DECLINE"]}
    assert declined["channel"] is None, "no channel was asked"
    assert payment_of(await till.get(declined["id"])) == declined
    row = await decision_of(database, declined)
    assert row is not None
    assert (row["version"], row["verdict"], row["hits"], row["features"]) == (version, "decline", ["R_DECLINE"], "[]")

    paid = await till.paid(amount=50_000)
    assert paid["risk"] == {"decision": "approve", "score": 0, "reasons": []}
    row = await decision_of(database, paid)
    assert row is not None
    assert (row["verdict"], row["hits"], row["missed"]) == ("approve", None, None)


async def test_without_rules_nothing_is_decided_and_nothing_stored(database: asyncpg.Connection, till: Till) -> None:
    paid = await till.paid(amount=99_999)
    assert paid["risk"] == {"decision": "approve", "score": 0, "reasons": []}
    assert await decision_of(database, paid) is None
