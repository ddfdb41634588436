"""Fixtures of tests in which a person settles what is in review, for a module to import; each ends in an audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.channels import Simulators, start_simulators
from tests.support.gateway import GatewayStack
from tests.support.reviews import audited


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """Of the module's own: an audit wants to know every order."""
    keys = tmp_path_factory.getbasetemp() / "channel-keys"
    with start_simulators(tmp_path_factory.mktemp("simulators"), keys) as running:
        yield running


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Notifications are part of it."""
    return {"callbacks": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    """Operations, over the admin API."""
    async with stack.admin() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def agreed(stack: GatewayStack) -> AsyncIterator[None]:
    """After each test the channels are ordinary again, and the books agree."""
    yield
    stack.simulators.clear_faults()
    await audited(stack)
