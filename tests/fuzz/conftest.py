"""The whole service for the fuzz tests, and a loop of its own for what they call: hypothesis itself is synchronous."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.world import World
from tests.support.gateway import GatewayStack
from tests.support.stack_fixtures import simulators, stack, stack_options

__all__ = ["simulators", "stack", "stack_options", "world"]


@pytest.fixture(scope="module")
def world(stack: GatewayStack) -> Iterator[World]:
    """The running service as a synchronous test sees it."""
    opened = World(stack)
    yield opened
    opened.close()
