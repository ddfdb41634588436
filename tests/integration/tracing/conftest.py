"""A gateway and a worker that trace everything to a collector in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.collector import Collector, start_collector
from tests.support.receivers import Receiver, start_receiver
from tests.support.stack_fixtures import simulators, stack, till

__all__ = ["collector", "receiver", "simulators", "stack", "stack_options", "till"]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with start_collector() as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with start_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def stack_options(collector: Collector) -> dict[str, Any]:
    settings = {
        "MASHANG_TRACING_ENDPOINT": collector.url,
        "MASHANG_TRACING_SAMPLE": "1",
        "MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "MASHANG_WEBHOOK_INTERVAL_S": "0.05",
    }
    return {"callbacks": True, "settings": settings}
