"""What waits is told by what stands in the database, whether or not anybody sends it."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from gateway.webhooks.running import measure
from tests.integration.webhooks.conftest import Hooks


async def oldest_age_s(hooks: Hooks) -> float:
    await measure(hooks.pool)
    assert (REGISTRY.get_sample_value("mashang_webhook_backlog") or 0.0) >= 1
    return REGISTRY.get_sample_value("mashang_webhook_oldest_age_seconds") or 0.0


@pytest.fixture(autouse=True)
async def nothing(hooks: Hooks) -> None:
    """No webhook of another test."""
    await hooks.pool.execute("TRUNCATE webhook_outbox, webhook_queue")


async def test_a_delivery_is_late_from_when_it_is_due_though_nobody_looks(hooks: Hooks) -> None:
    await hooks.endpoint()
    await hooks.captured()
    await hooks.relay.relay()
    await hooks.pool.execute("UPDATE webhook_queue SET next_at = now() + interval '1 hour'")
    assert await oldest_age_s(hooks) == 0
    await hooks.pool.execute("UPDATE webhook_queue SET next_at = now() - interval '1 hour'")
    assert 3_600 <= await oldest_age_s(hooks) < 3_660


async def test_an_event_that_is_in_no_line_yet_is_late_from_its_beginning(hooks: Hooks) -> None:
    await hooks.endpoint()
    await hooks.captured()
    assert 0 < await oldest_age_s(hooks) < 60
    await hooks.pool.execute("UPDATE webhook_outbox SET event_id = 'evt_01ARYZ6S41' || right(event_id, 16)")
    assert await oldest_age_s(hooks) > 86_400
    await hooks.pool.execute("UPDATE webhook_outbox SET retry_at = now() + interval '1 minute'")
    assert await oldest_age_s(hooks) == 0
