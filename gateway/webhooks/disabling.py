"""An endpoint that wants no more, or has only failed for days, is switched off; its merchant's others are told so."""

from __future__ import annotations

import logging
from typing import Final

import asyncpg

from gateway.kernel.metrics import WEBHOOK_ENDPOINTS_DISABLED
from gateway.webhooks.announcing import SQL, NewEvent, announce
from gateway.webhooks.catalogue import WebhookType
from gateway.webhooks.results import Recorded, ResultRow, Verdict
from gateway.webhooks.sending import is_gone

_log = logging.getLogger("mashang.webhooks")
_DAY_S: Final = 86_400.0
GONE: Final = "gone"
"""It has answered 410."""
FAILING: Final = "failing"
"""Nothing has succeeded for days, and a delivery has used up its tries: no passing trouble of a quiet endpoint."""


class Disabling:
    """One per worker."""

    def __init__(self, pool: asyncpg.Pool, after_days: float) -> None:
        self._pool = pool
        self._after_s = after_days * _DAY_S
        for reason in (
            GONE,
            FAILING,
        ):  # told as 0 from the beginning: of a series that begins at 1, increase() sees none
            WEBHOOK_ENDPOINTS_DISABLED.labels(reason)

    async def after(self, row: ResultRow, recorded: Recorded) -> None:
        """Switch the endpoint off where this try was one too many."""
        if row.verdict is not Verdict.FAILED:
            return
        if is_gone(row):
            await self.disable(row.endpoint_id, GONE)
        elif recorded.failing_s is not None and recorded.failing_s >= self._after_s:
            await self.disable(row.endpoint_id, FAILING)

    async def disable(self, endpoint_id: str, reason: str) -> None:
        """Switch off, and write the event of it; once, whoever asks how often.  A notify_url is no endpoint."""
        async with self._pool.acquire() as connection, connection.transaction():
            merchant_id = await connection.fetchval(SQL["disable"], endpoint_id, reason)
            if merchant_id is None:
                return
            seq = await connection.fetchval(SQL["next_seq"], endpoint_id, merchant_id)
            event = NewEvent(endpoint_id, merchant_id, seq, WebhookType.ENDPOINT_DISABLED, "enabled", "disabled")
            await announce(connection, event)
        WEBHOOK_ENDPOINTS_DISABLED.labels(reason).inc()
        _log.warning("a webhook endpoint was disabled", extra={"endpoint_id": endpoint_id, "reason": reason})
