"""A Valkey cluster of three masters: each key at its node, slots that move, a node that is away for its own keys."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from redis.crc import key_slot

from gateway.audit.pool import survey_pool
from gateway.database.pool import open_pool
from gateway.database.valkey import Valkey, ValkeyAway
from gateway.database.valkey_cluster import Cluster
from gateway.http.rate_limits import Limit, RateLimits
from gateway.merchants.nonces import Nonces
from gateway.payments.claims import Claims
from routing.health.health import Health
from routing.health.sharing import HealthExchange
from tests.support.pool_town import PoolTown
from tests.support.rows import settings
from tests.support.valkey_cluster import ClusterNode, ValkeyCluster, valkey_cluster
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """Six nodes of the module's own."""
    with valkey_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def valkey(cluster: ValkeyCluster) -> AsyncIterator[Valkey]:
    opened = Valkey(settings("postgresql://nobody@/none", cluster.url, redis_timeout_s=0.5))
    yield opened
    await opened.aclose()


def nodes_of(valkey: Valkey) -> Cluster:
    return cast("Cluster", valkey._servers)


def owner_of(cluster: ValkeyCluster, key: str) -> ClusterNode:
    """The master that has the key."""
    slot = key_slot(key.encode())
    for first, last, (_, port, *_), *_ in cluster.nodes[0].slots():
        if first <= slot <= last:
            return next(node for node in cluster.nodes if node.port == port)
    raise AssertionError(key)


async def test_the_first_calls_wait_for_the_map_and_each_finds_its_node(valkey: Valkey) -> None:
    await asyncio.gather(*(valkey.call("SET", f"key {number}", number) for number in range(100)))
    found = await asyncio.gather(*(valkey.call("GET", f"key {number}") for number in range(100)))
    assert found == [b"%d" % number for number in range(100)]
    assert len(nodes_of(valkey)._lines) == 3


async def test_calls_made_at_once_leave_in_one_pipeline_for_each_node(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await valkey.ping()
    sizes: list[int] = []
    for line in nodes_of(valkey)._lines.values():
        monkeypatch.setattr(line, "_rows_metric", SimpleNamespace(observe=sizes.append))
    await asyncio.gather(*(valkey.call("SET", f"key {number}", number) for number in range(100)))
    assert len(sizes) == 3
    assert sum(sizes) == 100


async def test_scripts_are_loaded_at_every_node_that_needs_them(valkey: Valkey) -> None:
    for _ in range(2):
        released = await asyncio.gather(
            *(valkey.script("release_claim", [f"claim:{{{number}}}"], ["nobody"]) for number in range(20))
        )
        assert released == [0] * 20


async def test_everybody_who_uses_valkey_can_use_a_cluster(valkey: Valkey) -> None:
    claims, nonces, limits = Claims(valkey, 5.0), Nonces(valkey), RateLimits(valkey)
    assert await claims.claim("mer_1", "order", "pay_1")
    assert not await claims.claim("mer_1", "order", "pay_2")
    await claims.release("mer_1", "order", "pay_1")
    assert await claims.claim("mer_1", "order", "pay_2")
    assert await nonces.spend("key", "nonce")
    assert not await Nonces(valkey).spend("key", "nonce")
    assert await limits.allows(Limit("test", 1, 60.0), "somebody")
    assert not await RateLimits(valkey).allows(Limit("test", 1, 60.0), "somebody")
    for process in ("a", "b"):
        await HealthExchange(valkey, Health(), process).exchange()


async def test_a_slot_that_moves_is_followed_while_and_after_it_moves(cluster: ValkeyCluster, valkey: Valkey) -> None:
    key, other = "{moving}:here", "{moving}:gone"
    await valkey.call("SET", key, "x")
    source, slot = owner_of(cluster, key), key_slot(b"moving")
    target = next(node for node in cluster.masters() if node is not source)
    ids = {node: node.ask("CLUSTER", "MYID").decode() for node in (source, target)}
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    await valkey.call("SET", other, "y")  # the source does not have it: ASK
    assert [await valkey.call("GET", name) for name in (key, other)] == [b"x", b"y"]
    source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5_000)
    for node in (target, source, *(each for each in cluster.masters() if each not in ids)):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    assert [await valkey.call("GET", name) for name in (key, other)] == [b"x", b"y"]  # MOVED
    assert nodes_of(valkey)._line_of(key) is nodes_of(valkey)._lines["127.0.0.1", target.port]


async def test_a_node_that_is_away_is_so_for_its_own_keys_until_its_replica_takes_over(
    cluster: ValkeyCluster, valkey: Valkey
) -> None:
    victim, keys = cluster.masters()[0], [f"key {number}" for number in range(30)]
    for key in keys:
        await valkey.call("SET", key, "x")
    lost = [key for key in keys if owner_of(cluster, key) is victim]
    assert 0 < len(lost) < len(keys)
    victim.child.stop(signal.SIGKILL, timeout_s=5)
    for key in keys:
        if key in lost:
            with pytest.raises(ValkeyAway):
                await valkey.call("GET", key)
        else:
            assert await valkey.call("GET", key) == b"x"

    async def is_back() -> bool:
        try:
            return bool(await valkey.call("SET", lost[0], "y"))
        except ValkeyAway:
            return False

    await eventually(is_back)
    await asyncio.gather(*(valkey.call("GET", key) for key in keys))


async def test_the_audit_reads_the_pool_of_a_cluster(database_url: str, cluster: ValkeyCluster) -> None:
    """As of one server: what is left and reserved in slices that lie at different nodes."""
    opened = await open_pool(settings(database_url))
    town = await PoolTown.found(opened, cluster.url)
    try:
        await town.beat()
        campaigns = [await town.campaign(1_000) for _ in range(6)]
        for campaign in campaigns:
            await town.load(campaign)
        await opened.execute("UPDATE campaign_slices SET used = 50 WHERE campaign_id = $1", campaigns[0])
        async with opened.acquire() as connection:
            found = await survey_pool(connection, cluster.url)
        assert found is not None
        assert (found.slices, found.left_fen, found.stranded_fen, found.ahead_fen) == (6, 6_000, 0, 50)
    finally:
        await town.aclose()
        await opened.close()
