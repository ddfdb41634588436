"""Leases due deliveries, each line in its turn and within its share, sends them, and records what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.group_commit import GroupCommit
from gateway.kernel.errors import ApiError
from gateway.kernel.metrics import WEBHOOK_DELIVERIES, WEBHOOK_SECONDS
from gateway.kernel.recording import Fact, Facts
from gateway.kernel.secrets import SealBroken, Vault
from gateway.tracing.identity import payment_of_message
from gateway.tracing.tracing import NOT_TRACED, Tracing, Work
from gateway.webhooks.announcing import SQL
from gateway.webhooks.disabling import Disabling
from gateway.webhooks.lines import LineKey, Lines
from gateway.webhooks.results import Recorded, ResultRow, Verdict
from gateway.webhooks.sending import Delivery, Sender

_log = logging.getLogger("mashang.webhooks")
_LINES_A_LOOK: Final = 256
_PACE_S: Final = 0.02
"""Between two leases, so that each takes many: one statement costs as much as sending ten messages."""
_WANTED: Final = frozenset({"enabled", None})
"""The states of an endpoint to which messages are sent; a payment's notify_url has none."""
_PLAIN: Final = frozenset({Verdict.SUCCEEDED, Verdict.CANCELLED})
_BEGINNING: Final = LineKey("", again=False)


class Dispatch:
    """One per worker.  Deliveries of a worker that dies come back when their leases are over."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: Vault,
        sender: Sender,
        recorded: GroupCommit[ResultRow, Recorded],
        disabling: Disabling,
        *,
        hands_max: int,
        interval_s: float,
        lease_s: float,
        tracing: Tracing = NOT_TRACED,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._sender = sender
        self._recorded = recorded
        self._disabling = disabling
        self._tracing = tracing
        self._interval_s = interval_s
        self._lease_s = lease_s
        self._lines = Lines(hands_max)
        self._place = _BEGINNING
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = False

    @property
    def under_way(self) -> int:
        """Messages that are being sent now."""
        return self._lines.busy

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Until told to stop; what is leased by then is sent (`finish` awaits it)."""
        while not self._stopping:
            began_s = time.monotonic()
            leased = await self._lease_or_log()
            for delivery in leased:
                self._begin(delivery)
            if not leased and self._place == _BEGINNING:
                await self._pause()
            if (rest_s := began_s + _PACE_S - time.monotonic()) > 0:
                await asyncio.sleep(rest_s)

    def stop(self) -> None:
        """Lease no more."""
        self._stopping = True
        self._woken.set()

    async def finish(self, within_s: float) -> None:
        """Await what is under way; what is not over by then is sent again when its lease is over."""
        if self._running:
            _, unfinished = await asyncio.wait(self._running, timeout=within_s)
            for task in unfinished:
                task.cancel()

    async def lease(self) -> list[Delivery]:
        """Look at the next lines, and take what is due of them."""
        walked = await self._pool.fetch(SQL["lines"], *self._place, _LINES_A_LOOK)
        due = [LineKey(row["endpoint_id"], row["again"]) for row in walked if row["overdue_s"] >= 0]
        is_last = len(walked) < _LINES_A_LOOK
        self._place = _BEGINNING if is_last else LineKey(walked[-1]["endpoint_id"], walked[-1]["again"])
        shares = self._lines.shares(due)
        if not shares:
            return []
        rows = await self._pool.fetch(
            SQL["lease"],
            [key.endpoint_id for key in shares],
            [key.again for key in shares],
            list(shares.values()),
            self._lease_s,
        )
        return [delivery for row in rows if (delivery := self._opened(row)) is not None]

    async def deliver(self, delivery: Delivery) -> ResultRow:
        """One try, and what follows from it."""
        with self._tracing.work(Work.WEBHOOK, payment_of_message(delivery.body), _facts_of(delivery)) as recording:
            row = await self._sender.send(delivery)
            if recording is not None:
                recording.facts[Fact.RESULT] = _label(row)
        WEBHOOK_DELIVERIES.labels(_label(row)).inc()
        WEBHOOK_SECONDS.labels(row.verdict).observe(row.duration_ms / 1000)
        recorded = await self._recorded.submit(row)
        if recorded.applied:
            await self._disabling.after(row, recorded)
        return row

    def _begin(self, delivery: Delivery) -> None:
        self._lines.begin(delivery.line)
        task = asyncio.create_task(self._deliver_or_log(delivery))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _deliver_or_log(self, delivery: Delivery) -> None:
        row: ResultRow | None = None
        try:
            row = await self.deliver(delivery)
        except (*BROKEN, asyncpg.PostgresError, ApiError) as error:
            _log.warning(
                "a message will be sent again", extra={"error": type(error).__name__, "event_id": delivery.event_id}
            )
        except Exception:  # one bad delivery must not stop the others
            _log.exception("a delivery failed", extra={"event_id": delivery.event_id})
        finally:
            succeeded = row is not None and row.verdict is Verdict.SUCCEEDED
            self._lines.end(delivery.line, succeeded=succeeded, seconds=0 if row is None else row.duration_ms / 1000)
            self._woken.set()

    async def _lease_or_log(self) -> list[Delivery]:
        try:
            return await self.lease()
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("no deliveries could be leased", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("no deliveries could be leased")
        self._place = _BEGINNING
        return []

    async def _pause(self) -> None:
        """Until there is something to send, as far as this worker knows, and at most for the interval."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval_s):
                await self._woken.wait()
        self._woken.clear()

    def _opened(self, row: asyncpg.Record) -> Delivery | None:
        """A leased row with its secrets opened; None where they do not open: then no signature of ours would do."""
        sealed = (row["secret_sealed"] or row["webhook_secret_sealed"], row["previous_secret_sealed"])
        place = row["endpoint_id"].encode()
        try:
            secrets = tuple(self._vault.open(secret, place).decode() for secret in sealed if secret is not None)
        except SealBroken:
            _log.error("a webhook secret does not open", extra={"endpoint_id": row["endpoint_id"]})
            return None
        return Delivery(
            event_id=row["event_id"],
            merchant_id=row["merchant_id"],
            line=LineKey(row["endpoint_id"], row["again"]),
            lease_token=row["lease_token"],
            tries=row["tries"],
            url=row["url"],
            body=row["body"].encode(),
            secrets=secrets,
            is_wanted=row["endpoint_status"] in _WANTED,
        )


def _facts_of(delivery: Delivery) -> Facts:
    return {Fact.EVENT_ID: delivery.event_id, Fact.TRIES: delivery.tries}


def _label(row: ResultRow) -> str:
    """How a try went, of a closed set: what was recorded as its error, or the kind of its status."""
    if row.verdict in _PLAIN:
        return row.verdict
    return row.error or f"http_{(row.http_status or 0) // 100}xx"
