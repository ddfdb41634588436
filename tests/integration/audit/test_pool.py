"""What the audit tells of the pool: what is reserved, what is stranded in PostgreSQL, what Valkey has too much."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.audit.pool import PoolTally, survey_pool
from gateway.database.pool import open_pool
from tests.support.pool_town import PoolTown
from tests.support.rows import settings
from tests.support.servers import TestServers


@pytest.fixture
async def town(database_url: str, servers: TestServers) -> AsyncIterator[PoolTown]:
    """A pool of its own: one heartbeat has been there."""
    pool = await open_pool(settings(database_url))
    await pool.execute(
        "TRUNCATE campaigns, campaign_slices, campaign_versions, campaign_top_ups, campaign_pace CASCADE"
    )
    town = await PoolTown.found(pool, servers.empty_redis())
    await town.beat()
    yield town
    await town.aclose()
    await pool.close()


async def survey(town: PoolTown) -> PoolTally:
    async with town.database.acquire() as connection:
        found = await survey_pool(connection, town.redis_url)
    assert found is not None
    return found


async def test_what_is_reserved_is_neither_stranded_nor_ahead(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    process = await town.process()
    await process.pool.reserve("mer_1\norder", "pay_1", [town.draw(campaign, 300)])
    found = await survey(town)
    assert (found.slices, found.left_fen, found.reserved_fen) == (1, 700, 300)
    assert (found.stranded_fen, found.ahead_fen) == (0, 0)


async def test_what_came_back_in_postgresql_alone_is_stranded(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    await town.database.execute("UPDATE campaign_slices SET granted = 1200")
    assert (await survey(town)).stranded_fen == 200


async def test_what_was_taken_in_postgresql_alone_is_ahead_in_valkey(town: PoolTown) -> None:
    campaign = await town.campaign(1_000)
    await town.load(campaign)
    await town.database.execute("UPDATE campaign_slices SET used = 50")
    assert (await survey(town)).ahead_fen == 50


async def test_slices_that_are_not_in_valkey_are_not_stranded(town: PoolTown) -> None:
    await town.campaign(1_000)
    assert (await survey(town)).slices == 0


async def test_without_valkey_there_is_nothing_to_tell(town: PoolTown) -> None:
    await town.campaign(1_000)
    async with town.database.acquire() as connection:
        assert await survey_pool(connection, "redis://127.0.0.1:1/0") is None


async def test_of_a_cluster_that_is_away_nothing_is_told(town: PoolTown) -> None:
    await town.campaign(1_000)
    async with town.database.acquire() as connection:
        assert await survey_pool(connection, "redis+cluster://127.0.0.1:1,127.0.0.1:2") is None
