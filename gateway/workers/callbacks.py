"""Applies what a crash, an outage or an order still on its way has left in the inbox of callbacks; drops old bodies."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import asyncpg

from gateway.callbacks.applying import Applying, pause_s
from gateway.callbacks.inbox import Inbox, Leased
from gateway.composition import Base
from gateway.database.batches import BROKEN
from gateway.kernel.errors import ApiError
from gateway.kernel.metrics import CALLBACKS_WAITING, CALLBACKS_WAITING_AGE
from gateway.kernel.recording import Fact, Facts
from gateway.tracing.tracing import Work

_log = logging.getLogger("mashang.callbacks")
_LEASED_MAX: Final = 32
_AT_ONCE_MAX: Final = 8
_DROP_MAX: Final = 1_000
_DROP_EVERY_S: Final = 60.0
_MEASURE_EVERY_S: Final = 2.0


class CallbackSweep:
    """One loop of the worker."""

    def __init__(self, base: Base) -> None:
        self._settings = base.settings
        self._tracing = base.tracing
        self._inbox = Inbox(base.pool, base.vault)
        self._applying = Applying(base.accounts, base.store, base.charging, base.refunds, self._inbox)
        self._hands = asyncio.Semaphore(_AT_ONCE_MAX)
        self._measure_at = self._drop_at = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            more = False
            try:
                more = await self.sweep() == _LEASED_MAX
                await self._keep_house()
            except (*BROKEN, asyncpg.PostgresError) as error:
                _log.warning("the inbox was not swept", extra={"error": type(error).__name__})
            except Exception:  # the end of this loop would be the worker's
                _log.exception("the inbox was not swept")
            await asyncio.sleep(0 if more else self._settings.recovery_interval_s)

    async def sweep(self) -> int:
        """Apply what is due; returns how many callbacks that were."""
        leased = await self._inbox.lease(_LEASED_MAX, self._settings.recovery_lease_s)
        await asyncio.gather(*map(self._apply, leased))
        return len(leased)

    async def _keep_house(self) -> None:
        """Now and then: how many wait, and the messages that have been kept long enough."""
        now = time.monotonic()
        if now >= self._measure_at:
            self._measure_at = now + _MEASURE_EVERY_S
            count, age_s = await self._inbox.waiting()
            CALLBACKS_WAITING.set(count)
            CALLBACKS_WAITING_AGE.set(age_s)
        if now >= self._drop_at:
            self._drop_at = now + _DROP_EVERY_S
            await self._inbox.drop_bodies(self._settings.callback_body_days, _DROP_MAX)

    async def _apply(self, leased: Leased) -> None:
        callback = leased.callback
        async with self._hands:
            try:
                facts: Facts = {Fact.ACCOUNT: callback.account_id, Fact.TRIES: leased.tries}
                with self._tracing.work(Work.CALLBACK, callback.payment_id, facts):
                    await self._applying.handle(callback, tries=leased.tries, age_s=leased.age_s)
            except (*BROKEN, asyncpg.PostgresError, ApiError) as error:  # it comes back when its lease is over
                _log.warning("a callback will be tried again", extra={"error": type(error).__name__})
            except Exception:  # one bad callback must not stop the others
                _log.exception("a callback could not be applied", extra={"payment_id": callback.payment_id})
                await self._inbox.put_off(callback, pause_s(leased.tries))
