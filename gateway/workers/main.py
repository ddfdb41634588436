"""The worker process: leases due tasks, works on many at once, and keeps house.  Any number of workers may run."""

from __future__ import annotations

import asyncio
import logging
import signal

import asyncpg
from redis.exceptions import RedisError

from gateway.composition import Base, compose
from gateway.database.batches import BROKEN
from gateway.kernel.errors import ApiError
from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.kernel.logs import set_up_logs
from gateway.kernel.recording import Fact, Facts
from gateway.metrics.exposition import Exposition
from gateway.payments.recalled import Recalling
from gateway.retention.keeping import keep_retention
from gateway.settings import Settings
from gateway.tracing.tracing import Work
from gateway.webhooks.running import webhooks_delivered
from gateway.workers.audits import tell_audits
from gateway.workers.callbacks import CallbackSweep
from gateway.workers.campaigns import tell_campaigns
from gateway.workers.housekeeping import keep_house
from gateway.workers.late import LateWatch
from gateway.workers.ledger import watch_ledger
from gateway.workers.probes import Loop, Turns, probes
from gateway.workers.profiling import keep_profiles
from gateway.workers.recovery import Recovery
from gateway.workers.refunding import Refunding
from gateway.workers.rewarding import Rewarding
from gateway.workers.risk_telling import RiskTelling
from gateway.workers.tasks import Purpose, Task, TaskQueue
from promotions.budget.keeping import Keeping
from promotions.pacing.keeping import keep_pace

_log = logging.getLogger("mashang.worker")


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what is under way is finished or, past its lease, done by another worker."""
    set_up_logs(settings.log_level, json=settings.log_json)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    turns, exposition = Turns(), Exposition()
    async with (
        probes(settings.worker_host, settings.worker_port, turns, exposition),
        compose(settings, "mashang-worker") as base,
        webhooks_delivered(base),
        asyncio.TaskGroup() as group,
    ):
        pool = Keeping(base.pool, base.valkey)
        recalling = Recalling(base.store, base.campaigns.places, base.vault)
        telling = RiskTelling(base.pool, base.risk.telling, recalling)
        loops = (
            base.revision.run(),
            keep_house(base, turns),
            watch_ledger(base.pool),
            tell_audits(base.pool),
            tell_campaigns(base.pool, exposition),
            keep_retention(base.settings),
            CallbackSweep(base).run(),
            base.routing.usage.run(),
            pool.run(),
            keep_pace(base.pool),
            keep_profiles(base.pool, lambda: base.risk.rules.current.needs_profile),
            telling.run(),
        )
        background = [group.create_task(loop) for loop in loops]
        _log.info("worker started")
        turns.pool = base.pool
        await Worker(base, turns).work_until(stop)
        turns.pool = None
        for task in background:
            task.cancel()
        flush_hot_metrics()


class Worker:
    """Takes tasks from the queue; a task that fails is logged and comes back when its lease is over."""

    def __init__(self, base: Base, turns: Turns | None = None) -> None:
        self._settings = base.settings
        self._turns = turns or Turns()
        self._tracing = base.tracing
        self._queue = TaskQueue(base.pool, base.settings.recovery_lease_s)
        late = LateWatch(base, self._queue)
        self._handlers = {
            Purpose.RESOLVE: Recovery(base, self._queue).handle,
            Purpose.WATCH: late.watch,
            Purpose.GIVE_BACK: late.give_back,
            Purpose.REFUND: Refunding(base, self._queue).handle,
            Purpose.REWARD: Rewarding(base, self._queue).handle,
        }
        self._running: set[asyncio.Task[None]] = set()

    async def work_until(self, stop: asyncio.Event) -> None:
        """Lease and handle until told to stop, then finish what is under way."""
        while not stop.is_set():
            self._turns.turned(Loop.TASKS)
            free = self._settings.recovery_concurrency_max - len(self._running)
            leased = await self._lease(free) if free else []
            for task in leased:
                running = asyncio.create_task(self._handle(task))
                self._running.add(running)
                running.add_done_callback(self._running.discard)
            await self._pause(stop, more_is_due=len(leased) == free)
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.recovery_lease_s)

    async def _pause(self, stop: asyncio.Event, *, more_is_due: bool) -> None:
        """Until the next look, or only until a hand is free: after an outage all of its payments are due at once."""
        stopped = asyncio.create_task(stop.wait())
        waited_for = {stopped, *self._running} if more_is_due else {stopped}
        await asyncio.wait(waited_for, timeout=self._settings.recovery_interval_s, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    async def _lease(self, limit: int) -> list[Task]:
        try:
            return await self._queue.lease(limit)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("no tasks could be leased", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("no tasks could be leased")
        return []

    async def _handle(self, task: Task) -> None:
        try:
            facts: Facts = {Fact.PURPOSE: task.purpose, Fact.TRIES: task.tries}
            with self._tracing.work(Work.TASK, task.payment_id, facts):
                await self._handlers[task.purpose](task)
        except (*BROKEN, asyncpg.PostgresError, ApiError, RedisError) as error:
            _log.warning(
                "a task will be tried again", extra={"error": type(error).__name__, "payment_id": task.payment_id}
            )
        except Exception:  # one bad task must not stop the others
            _log.exception("a task failed", extra={"payment_id": task.payment_id})
