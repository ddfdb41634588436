"""The whole service for the fuzz tests, and a loop of its own for what they call: hypothesis itself is synchronous."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.values import MINUTES
from tests.fuzz.world import World
from tests.support.gateway import GatewayStack
from tests.support.stack_fixtures import simulators, stack, stack_options

__all__ = ["simulators", "stack", "stack_options", "world"]


_S_BY_DEFAULT = 300


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that is to search for minutes has them beside its usual time, three times over: machines are busy."""
    for item in items:
        if "tests/fuzz/" in item.path.as_posix() and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_S_BY_DEFAULT + 3 * 60 * MINUTES))


@pytest.fixture(scope="module")
def world(stack: GatewayStack) -> Iterator[World]:
    """The running service as a synchronous test sees it."""
    opened = World(stack)
    yield opened
    opened.close()
