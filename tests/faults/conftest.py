"""Fixtures: simulators, tills and their book of each module's own, for an audit wants to know every order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from tests.support.book import ClientBook, PatientTill
from tests.support.channels import Simulators, start_simulators
from tests.support.doors import Doors
from tests.support.gateway import GatewayStack, start_gateway

FAULT_SETTINGS: Final = {
    "MASHANG_CHANNEL_TIMEOUT_S": "0.8",
    "MASHANG_SEND_WITHIN_S": "1.5",
    "MASHANG_NOT_CREATED_AFTER_S": "0.5",
    "MASHANG_TAKE_OVER_AFTER_S": "1",
    "MASHANG_RECOVERY_INTERVAL_S": "0.1",
    "MASHANG_RECOVERY_LEASE_S": "2",
    "MASHANG_CLAIM_TTL_S": "2",
    "MASHANG_DATABASE_COMMAND_TIMEOUT_S": "5",
}
"""Windows of a second, so that a fault and what follows it fit into a few."""


@pytest.fixture(scope="session")
def channel_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the simulators' keys lie; they take longest to make."""
    return tmp_path_factory.getbasetemp() / "channel-keys"


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory, channel_keys: Path) -> Iterator[Simulators]:
    """The module's three simulators."""
    with start_simulators(tmp_path_factory.mktemp("simulators"), channel_keys) as running:
        yield running


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    """Proxies for whoever wants one."""
    with Doors() as opened:
        yield opened


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """What the module's stack is started with (see start_gateway); a module that wants others overrides this."""
    return {}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    database_url: str,
    redis_url: str,
    simulators: Simulators,
    stack_options: dict[str, Any],
) -> Iterator[GatewayStack]:
    """The module's gateway and worker processes."""
    options = {"settings": FAULT_SETTINGS, **stack_options}
    with start_gateway(tmp_path_factory.mktemp("stack"), database_url, redis_url, simulators, **options) as running:
        yield running


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientBook]:
    """What the module's tills were told."""
    opened = ClientBook(tmp_path_factory.mktemp("book") / "clients.jsonl")
    yield opened
    opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(stack: GatewayStack, book: ClientBook) -> AsyncIterator[PatientTill]:
    """A till that knows every gateway process."""
    async with PatientTill(stack.urls, stack.shop.key.secret, book) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection straight to the module's database, past every door."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
