"""In a cluster the entities of a payment lie at several nodes, and are counted by a call for each."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.database.valkey import ValkeyAway
from risk.velocity.spec import Series
from tests.support.valkey_cluster import ValkeyCluster, valkey_cluster
from tests.support.velocities import Counters, compiled, payment
from tests.support.waiting import eventually

ASKED = compiled(
    ("count", "customer", "1h"),
    ("count", "merchant", "1h"),
    ("distinct_customers", "terminal", "1d"),
    ("sum_amount", "customer+merchant", "7d"),
    ("count", "wallet", "1h"),
    ("fraud_count", "terminal", "1d"),
    ("fraud_count", "merchant", "1d"),
    needs_travel=True,
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """Six nodes."""
    with valkey_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def counters(cluster: ValkeyCluster) -> AsyncIterator[Counters]:
    """Of one process."""
    opened = Counters.at(cluster.url, ASKED, timeout_s=0.5)
    yield opened
    await opened.valkey.aclose()


async def test_the_entities_of_a_payment_are_counted_wherever_they_are(
    cluster: ValkeyCluster, counters: Counters
) -> None:
    first = payment(terminal_id="t1", wallet="wechat")
    assert list((await counters.count(first)).values()) == [1, 1, 1, 1_000, 1, 0, 0, None, None]
    assert await counters.tell(Series.FRAUDS, first, "fraud", 1)
    for _ in range(2):  # retried
        second = await counters.count(payment(2, terminal_id="t1", wallet="wechat")._replace(order_key="second"))
    assert list(second.values())[1:7] == [2, 2, 1_000, 2, 1, 1]
    used = [node for node in cluster.masters() if node.ask("DBSIZE") > 0]
    assert len(used) > 1


async def test_a_node_that_forgot_the_script_is_sent_it_again(cluster: ValkeyCluster, counters: Counters) -> None:
    facts = payment(terminal_id="t2")
    await counters.count(facts)
    for node in cluster.masters():
        node.ask("SCRIPT", "FLUSH")
    told = await counters.count(payment(1, terminal_id="t2", customer=facts.customer))
    assert next(iter(told.values())) == 2


async def test_a_node_that_is_away_makes_the_features_away_until_a_replica_takes_over(
    cluster: ValkeyCluster, counters: Counters
) -> None:
    facts = payment(terminal_id="t3", wallet="alipay")
    await counters.count(facts)
    for node in cluster.masters()[:1]:
        node.child.stop(signal.SIGKILL, timeout_s=5)

    failures = 0

    async def is_back() -> bool:
        nonlocal failures
        try:
            for number in range(20):  # of customers at every node
                await counters.count(payment(number, terminal_id=f"till {number}"))
        except ValkeyAway:
            failures += 1
            return False
        return True

    await eventually(is_back)
    assert failures > 0
