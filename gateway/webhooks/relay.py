"""The outbox becomes deliveries: one for each endpoint that wants the event, and one for the payment's own notify_url.

The body is written here, once, so that every try of every delivery sends the same bytes.  Rows leave the outbox in the
transaction that writes their deliveries: a relay that dies has done nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import Connection
from gateway.webhooks.announcing import SQL
from gateway.webhooks.rendering import EventRecord, Renderers, body_of, event_record, render

_log = logging.getLogger("mashang.webhooks")
_ROWS_MAX: Final = 256
_PUT_OFF_S: Final = 60.0


class _Delivery(NamedTuple):
    """A row of webhook_deliveries, in the order of the statement's arrays."""

    event_id: str
    merchant_id: str
    endpoint_id: str
    url: str
    body: str


class Relay:
    """One per worker; any number of them share the outbox.  `on_relayed` is called when there is something to send."""

    def __init__(
        self, pool: asyncpg.Pool, renderers: Renderers, interval_s: float, on_relayed: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._renderers = renderers
        self._interval_s = interval_s
        self._on_relayed = on_relayed

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            relayed = await self._relay_or_log()
            if relayed:
                self._on_relayed()
            if relayed < _ROWS_MAX:
                await asyncio.sleep(self._interval_s)

    async def relay(self) -> int:
        """Take up to 256 rows out of the outbox; gives how many there were.

        A look comes before the transaction: nearly always there is nothing, and to begin and to end are two more trips.
        """
        async with self._pool.acquire() as connection:
            if not await connection.fetchval(SQL["outbox_waits"]):
                return 0
            async with connection.transaction():
                return await self._take(connection)

    async def _take(self, connection: Connection) -> int:
        rows = await connection.fetch(SQL["take_outbox"], _ROWS_MAX)
        if not rows:  # another worker was quicker
            return 0
        events = {row["id"]: event_record(row) for row in rows}
        messages = await render(list(events.values()), self._renderers)
        bodies = {event_id: body_of(message) for event_id, message in messages.items()}
        endpoints = await self._endpoints(connection, events.values())
        deliveries = [
            _Delivery(event.id, event.merchant_id, endpoint_id, url, bodies[event.id])
            for row in rows
            if (event := events[row["id"]]).id in bodies
            for endpoint_id, url in targets(event, row["notify_url"], endpoints[event.merchant_id])
        ]
        if deliveries:
            await connection.execute(SQL["add_deliveries"], *map(list, zip(*deliveries, strict=True)))
        await connection.execute(SQL["drop_outbox"], list(messages))
        if left := list(events.keys() - messages.keys()):
            _log.error("events could not be rendered", extra={"event_ids": left[:10], "events": len(left)})
            await connection.execute(SQL["put_off_outbox"], left, _PUT_OFF_S)
        return len(rows)

    async def _relay_or_log(self) -> int:
        try:
            return await self.relay()
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("no events could be relayed", extra={"error": type(error).__name__})
        except Exception:  # the end of this loop would be the worker's
            _log.exception("no events could be relayed")
        return 0

    async def _endpoints(
        self, connection: Connection, events: Iterable[EventRecord]
    ) -> Mapping[str, Sequence[asyncpg.Record]]:
        """The enabled endpoints of the events' merchants."""
        found: defaultdict[str, list[asyncpg.Record]] = defaultdict(list)
        for row in await connection.fetch(SQL["endpoints_of_merchants"], list({event.merchant_id for event in events})):
            found[row["merchant_id"]].append(row)
        return found


def targets(event: EventRecord, notify_url: str | None, endpoints: Iterable[asyncpg.Record]) -> list[tuple[str, str]]:
    """Where an event goes: ids and addresses.  A notify_url stands under the merchant's own id."""
    wanting = [
        (row["id"], row["url"]) for row in endpoints if row["types"] is None or event.public_type in row["types"]
    ]
    return wanting if notify_url is None else [*wanting, (event.merchant_id, notify_url)]
