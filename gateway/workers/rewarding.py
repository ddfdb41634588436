"""Issues the coupons that captured payments have earned (满额返券), and voids those of payments that were given back.

One transaction has it all: the coupons, the events that tell the merchant, and the end of the task.  A worker that is
killed has done nothing, and the next one begins anew.
"""

from __future__ import annotations

import logging
from typing import Final

from gateway.composition import Base
from gateway.database.pool import Connection
from gateway.kernel.metrics import COUPON_REWARDS
from gateway.webhooks.announcing import NewEvent, announce
from gateway.webhooks.catalogue import WebhookType
from gateway.workers.tasks import SQL, Task, TaskQueue
from promotions.coupons.coupon import CouponStatus
from promotions.coupons.rewards import CampaignChanging, Rewarded, reward

_log = logging.getLogger("mashang.coupons")
_AGAIN_S: Final = 0.5
_FIRST: Final = 1
_SECOND: Final = 2
"""A coupon has two events at most: it is issued, and it is voided."""


class Rewarding:
    """Handles the tasks of purpose `reward`."""

    def __init__(self, base: Base, queue: TaskQueue) -> None:
        self._pool = base.pool
        self._queue = queue

    async def handle(self, task: Task) -> None:
        """Bring the rewards of one payment in line with it."""
        try:
            done = await self._carry_out(task)
        except CampaignChanging:
            await self._queue.put_off(task, _AGAIN_S)
            return
        for result, count in (("issued", len(done.issued)), ("voided", len(done.voided)), ("missing", done.missing)):
            if count:
                COUPON_REWARDS.labels(result).inc(count)
                _log.info("rewards: %s %d", result, count, extra={"payment_id": task.payment_id})

    async def _carry_out(self, task: Task) -> Rewarded:
        async with self._pool.acquire() as connection, connection.transaction():
            done = await reward(connection, task.payment_id, task.merchant_id)
            await _announce(connection, task.merchant_id, done)
            lease = (task.payment_id, task.purpose, task.lease_token, task.created_at, task.now)
            await connection.execute(SQL["finish_unless_woken"], *lease)
        return done


async def _announce(connection: Connection, merchant_id: str, done: Rewarded) -> None:
    for coupon_id in done.issued:
        event = NewEvent(coupon_id, merchant_id, _FIRST, WebhookType.COUPON_ISSUED, None, CouponStatus.VALID)
        await announce(connection, event)
    for coupon_id in done.voided:
        before, after = CouponStatus.VALID, CouponStatus.VOIDED
        await announce(connection, NewEvent(coupon_id, merchant_id, _SECOND, WebhookType.COUPON_VOIDED, before, after))
