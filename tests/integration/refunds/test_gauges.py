"""The gauges of refunds: how many are pending, and for how long the oldest has been due."""

from __future__ import annotations

from prometheus_client import REGISTRY

from gateway.workers.housekeeping import measure
from routing.channels.base import RefundRules
from tests.integration.refunds.conftest import ACCEPTED, GIVEN_BACK, Counter


async def gauges(counter: Counter) -> tuple[float, float, float]:
    """Pending refunds, the oldest one's age when due, and everything that waits for a person."""
    await measure(counter.base)
    names = ("mashang_pending_refunds", "mashang_pending_refunds_oldest_age_seconds", "mashang_payments_for_review")
    pending, age_s, reviews = [REGISTRY.get_sample_value(name) for name in names]
    assert pending is not None
    assert age_s is not None
    assert reviews is not None
    return pending, age_s, reviews


async def test_refunds_are_counted_while_they_are_pending_and_age_only_once_they_are_due(counter: Counter) -> None:
    assert await gauges(counter) == (0, 0, 0)
    counter.channel.refund_rules = RefundRules(600.0, 50, 365)
    counter.channel.refunds = [ACCEPTED]
    row = await counter.paid()
    await counter.refund(row, 100)
    await counter.refund(row, 100)
    await counter.pool.execute("UPDATE refunds SET next_at = next_at - interval '50 s' WHERE seq = 1")
    pending, age_s, _ = await gauges(counter)
    assert (pending, 50 <= age_s < 60) == (2, True)
    counter.channel.refunds = [GIVEN_BACK]
    await counter.work(row)
    assert await gauges(counter) == (1, 0, 0), "the other one waits for its turn"
    await counter.pool.execute(
        "UPDATE refunds SET review = 'abnormal', next_at = now() - interval '1 hour' WHERE seq = 2"
    )
    assert await gauges(counter) == (1, 0, 1)


async def test_refunds_are_counted_by_what_became_of_them(counter: Counter) -> None:
    def told(status: str) -> float:
        labels = {"status": status, "wallet": "wechat", "account": "wechat_direct"}
        return REGISTRY.get_sample_value("mashang_refunds_total", labels) or 0.0

    before = {status: told(status) for status in ("pending", "succeeded", "failed")}
    counter.channel.refunds = [GIVEN_BACK]
    row = await counter.paid()
    await counter.refund(row, 100, merchant_refund_no="n")
    await counter.refund(row, 100, merchant_refund_no="n")
    await counter.work(row)
    assert {status: told(status) - before[status] for status in before} == {"pending": 1, "succeeded": 1, "failed": 0}
