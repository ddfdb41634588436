"""Fixtures around the whole service, for a conftest to import: simulators, stack, till and database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.support.channels import Simulators, start_simulators
from tests.support.gateway import GatewayStack, start_gateway
from tests.support.till import Till


@pytest.fixture(scope="session")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """The three simulators; modules share them, for payments of different modules never meet."""
    keys = tmp_path_factory.getbasetemp() / "channel-keys"
    with start_simulators(tmp_path_factory.mktemp("simulators"), keys) as running:
        yield running


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
    folder = tmp_path_factory.mktemp("stack")
    with start_gateway(folder, database_url, redis_url, simulators, **stack_options) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(stack: GatewayStack) -> AsyncIterator[Till]:
    """A till of the stack's shop."""
    async with stack.till() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(stack: GatewayStack) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the module's database."""
    connection = await asyncpg.connect(stack.database_url)
    yield connection
    await connection.close()
