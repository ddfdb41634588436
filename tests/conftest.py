"""Fixtures for every test: the shared servers, a database and a Valkey database of each module's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.servers import TestServers, start_servers

settings.register_profile("mashang", deadline=None)  # a machine that others use is no fault of an example
settings.load_profile("mashang")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServers]:
    """PostgreSQL and Valkey for the whole run; not durable, so a test that kills servers starts its own."""
    with start_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def migrated_servers(servers: TestServers) -> TestServers:
    """The same servers once the template database has every migration."""
    servers.migrate_template()
    return servers


@pytest.fixture(scope="module")
def database_url(migrated_servers: TestServers) -> Iterator[str]:
    """A database of the module's own with every migration applied and nothing in it."""
    url = migrated_servers.clone_database()
    yield url
    migrated_servers.drop_database(url)


@pytest.fixture(scope="module")
def redis_url(servers: TestServers) -> str:
    """An empty Valkey database of the module's own."""
    return servers.empty_redis()
