"""The forms of MASHANG_REDIS_URL."""

from __future__ import annotations

import pytest
from redis.asyncio.sentinel import SentinelConnectionPool

from gateway.database.valkey_address import Address, client_of


def test_one_server_is_named_by_its_url() -> None:
    for url in ("redis://host:6379/0", "rediss://u:p@host:6380/1", "unix:///run/valkey.sock?db=2"):
        assert Address.of(url) == Address(url)


def test_a_cluster_is_named_by_any_of_its_nodes() -> None:
    address = Address.of("rediss+cluster://me:s%40cret@a:7000,b,[::1]:7002")
    assert address.is_cluster
    assert address.nodes == (("a", 7000), ("b", 6379), ("::1", 7002))
    assert (address.user, address.password, address.is_tls) == ("me", "s@cret", True)


async def test_sentinels_are_asked_for_the_master_of_a_name() -> None:
    address = Address.of("redis+sentinel://:secret@a,b:5000/mymaster?db=3")
    assert address.nodes == (("a", 26379), ("b", 5000))
    assert (address.user, address.password, address.master, address.database) == (None, "secret", "mymaster", 3)
    client = client_of(address, 0.25)
    assert isinstance(client.connection_pool, SentinelConnectionPool)
    assert client.connection_pool.service_name == "mymaster"
    await client.aclose()


@pytest.mark.parametrize(
    "url", ["redis+ring://a", "http+cluster://a", "redis+cluster://", "redis+sentinel://a:26379", "redis+sentinel://a/"]
)
def test_what_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|form"):
        Address.of(url)
