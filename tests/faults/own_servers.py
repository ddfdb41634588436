"""Fixtures of fault tests that kill their servers, for a module to import: stores of its own, and a stack on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.channels import Simulators
from tests.support.gateway import GatewayStack, start_gateway
from tests.support.street import Stores, start_stores

SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "3", "MASHANG_SEND_WITHIN_S": "5"}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Servers that this module may kill."""
    with start_stores(tmp_path_factory.mktemp("own-servers")) as stores:
        yield stores


@pytest.fixture(scope="module")
def database_url(stores: Stores) -> str:
    """A database on them."""
    return stores.database_url


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, stores: Stores, simulators: Simulators) -> Iterator[GatewayStack]:
    """Two gateway processes and a worker."""
    folder = tmp_path_factory.mktemp("stack")
    with start_gateway(
        folder, stores.database_url, stores.redis_url, simulators, gateways=2, settings=SETTINGS
    ) as running:
        yield running
