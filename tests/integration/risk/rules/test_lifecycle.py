"""What a version names is looked at again when it is published: a list or a model can have gone meanwhile."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from gateway.admin.risk.lists.views import held_list
from risk.lists.keeping import create_list, delete_list
from risk.rules.lifecycle import NamesMissing, publish
from risk.rules.store import asks_in_force, in_force
from tests.support.analyst import Analyst

LISTED = {"code": "A", "when": "listed('ours', 'device') && !listed('theirs', 'ip')", "action": "decline"}


@pytest.fixture
async def ours(pool: asyncpg.Pool) -> str:
    async with pool.acquire() as connection, connection.transaction():
        await create_list(connection, "ours", "")
    return "ours"


async def test_what_is_missing_is_named_and_the_rules_in_force_stay(analyst: Analyst, ours: str) -> None:
    before = (await in_force(analyst.pool)).version
    scored = {"code": "B", "when": "model.score > 0.5", "action": "review"}
    draft = await analyst.save(LISTED, scored, model=77)
    with pytest.raises(NamesMissing) as refused:
        await analyst.publish(draft)
    assert refused.value.missing == ["the list theirs", "the model 77"]
    assert (await in_force(analyst.pool)).version == before


async def test_of_an_older_version_it_is_not_known_which_lists_it_names(analyst: Analyst) -> None:
    draft = await analyst.save(LISTED)
    await analyst.pool.execute("ALTER TABLE risk_rule_sets DISABLE TRIGGER USER")
    await analyst.pool.execute("UPDATE risk_rule_sets SET lists = NULL WHERE version = $1", draft)
    await analyst.pool.execute("ALTER TABLE risk_rule_sets ENABLE TRIGGER USER")
    await analyst.publish(draft)
    assert not await asks_in_force(analyst.pool, "ours")
    await analyst.end_all_rules()


async def test_whoever_deletes_a_list_while_rules_are_published_that_ask_for_it_is_told(
    analyst: Analyst, ours: str
) -> None:
    draft = await analyst.save({**LISTED, "when": f"listed('{ours}', 'device')"})

    async def asked_when_deleting() -> bool:
        async with analyst.pool.acquire() as connection, connection.transaction():
            await held_list(connection, ours)
            return await asks_in_force(connection, ours)

    async with analyst.pool.acquire() as connection, connection.transaction():
        await publish(connection, draft)
        deleting = asyncio.create_task(asked_when_deleting())
        done, _ = await asyncio.wait([deleting], timeout=0.2)
        assert not done, "it waits for the publication"
    assert await deleting is True
    await analyst.end_all_rules()


async def test_rules_that_are_published_while_their_list_is_deleted_are_refused(analyst: Analyst, ours: str) -> None:
    draft = await analyst.save({**LISTED, "when": f"listed('{ours}', 'device')"})
    async with analyst.pool.acquire() as connection, connection.transaction():
        await held_list(connection, ours)
        publishing = asyncio.create_task(analyst.publish(draft))
        done, _ = await asyncio.wait([publishing], timeout=0.2)
        assert not done, "it waits for what becomes of the list"
        await delete_list(connection, ours)
    with pytest.raises(NamesMissing, match="the list ours"):
        await publishing
