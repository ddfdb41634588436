"""Issues the coupons that captured payments have earned (满额返券), and voids those of payments that were given back.

One transaction has it all: the coupons, the events that tell the merchant, and the end of the task.  A worker that is
killed has done nothing, and the next one begins anew.
"""

from __future__ import annotations

import logging
from typing import Final

from gateway.composition import Base
from gateway.coupons.telling import tell_issued, tell_voided
from gateway.kernel.metrics import COUPON_REWARDS
from gateway.workers.tasks import SQL, Task, TaskQueue
from promotions.coupons.rewards import CampaignChanging, Rewarded, reward

_log = logging.getLogger("mashang.coupons")
_AGAIN_S: Final = 0.5


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
                _log.debug("rewards", extra={"payment_id": task.payment_id, "result": result, "count": count})

    async def _carry_out(self, task: Task) -> Rewarded:
        async with self._pool.acquire() as connection, connection.transaction():
            done = await reward(connection, task.payment_id, task.merchant_id)
            await tell_issued(connection, task.merchant_id, done.issued)
            await tell_voided(connection, task.merchant_id, done.voided)
            lease = (task.payment_id, task.purpose, task.lease_token, task.created_at, task.now)
            await connection.execute(SQL["finish_unless_woken"], *lease)
        return done
