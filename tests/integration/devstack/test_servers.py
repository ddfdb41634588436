"""The servers that the tests stand on."""

from __future__ import annotations

import asyncpg
import redis

from tests.support.servers import TestServers


async def test_a_clone_has_what_its_template_has_and_is_independent(servers: TestServers) -> None:
    template = servers.create_database("template_probe")
    connection = await asyncpg.connect(template)
    await connection.execute("CREATE TABLE thing (id int); INSERT INTO thing VALUES (1)")
    await connection.close()

    first, second = servers.clone_database("template_probe"), servers.clone_database("template_probe")
    for url in (first, second):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM thing") == 1
        await connection.execute("DELETE FROM thing")
        await connection.close()
    for url in (first, second):
        servers.drop_database(url)


async def test_the_server_has_no_tcp_port_and_commits_synchronously_by_default(servers: TestServers) -> None:
    connection = await asyncpg.connect(servers.admin_url)
    assert await connection.fetchval("SHOW listen_addresses") == ""
    assert await connection.fetchval("SELECT upper('ä码')") == "Ä码"
    await connection.close()


def test_each_redis_database_is_empty_and_of_its_own(servers: TestServers) -> None:
    first, second = servers.empty_redis(), servers.empty_redis()
    assert first != second
    with redis.Redis.from_url(first) as one, redis.Redis.from_url(second) as other:
        one.set("key", "value")
        assert other.get("key") is None
        assert one.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
