"""Counters in an empty Valkey database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.servers import TestServers
from tests.support.velocities import Compiled, Counters, Opening


@pytest.fixture
async def opening(servers: TestServers) -> AsyncIterator[Opening]:
    """Opens the counters of a process; those of one test share a database."""
    url, opened = servers.empty_redis(), []

    def one(in_force: Compiled) -> Counters:
        opened.append(Counters.at(url, in_force))
        return opened[-1]

    yield one
    for each in opened:
        await each.valkey.aclose()
