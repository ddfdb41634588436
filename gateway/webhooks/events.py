"""Reads events and the log of their deliveries, and has an event delivered again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import orjson

from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import Conflict, Unavailable, not_found
from gateway.kernel.ids import first_ulid_at
from gateway.webhooks.announcing import SQL
from gateway.webhooks.catalogue import TOLD, WebhookType, written_types
from gateway.webhooks.relay import targets
from gateway.webhooks.rendering import EventRecord, JsonObject, Renderers, body_of, event_record, render

_LISTS_MAX: Final = 2
"""A list whose filter finds little reads all that a merchant has: the other connections are for payments."""
_LIST_WAIT_S: Final = 2.0
_FIRST_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER_MAX: Final = timedelta(hours=1)
"""An event's id has the time of the process that made it, its `timestamp` the database's."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which of a merchant's events to list; None leaves a condition out."""

    type: WebhookType | None = None
    payment_id: str | None = None
    refund_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    @property
    def written(self) -> Sequence[str]:
        """The types under which such events are written."""
        return TOLD if self.type is None else written_types([self.type])


class Events:
    """Every call is scoped to a merchant: another merchant's event is not found."""

    def __init__(self, pool: asyncpg.Pool, renderers: Renderers) -> None:
        self._pool = pool
        self._renderers = renderers
        self._lists = asyncio.Semaphore(_LISTS_MAX)

    async def list(
        self, merchant_id: str, wanted: EventFilter, limit: int, starting_after: str | None
    ) -> Sequence[JsonObject]:
        """The newest first, at most `limit`, after that id.  Raises Unavailable."""
        try:
            await asyncio.wait_for(self._lists.acquire(), _LIST_WAIT_S)
        except TimeoutError:
            raise Unavailable("busy", "Too many lists are being read: try again.", retry_after_s=1) from None
        try:
            rows = await self._rows(merchant_id, wanted, limit, starting_after)
        finally:
            self._lists.release()
        return await self._shown(merchant_id, [event_record(row) for row in rows])

    async def get(self, merchant_id: str, event_id: str) -> JsonObject:
        """One event with its deliveries and every try.  Raises the 404."""
        [shown] = await self._shown(merchant_id, [await self._find(merchant_id, event_id)])
        return {**shown, "deliveries": await self._deliveries(merchant_id, event_id)}

    async def resend(self, merchant_id: str, event_id: str, endpoint_id: str | None) -> JsonObject:
        """Deliver it again: to one endpoint, or to everybody who would be told of it now.

        Raises the 404, and Conflict `nobody_to_tell` or `endpoint_disabled`.
        """
        event = await self._find(merchant_id, event_id)
        wanted = await self._targets(event, endpoint_id)
        [message] = await self._messages(merchant_id, [event])
        ids, urls = zip(*wanted, strict=True)
        await self._pool.execute(SQL["send_again"], event_id, merchant_id, ids, urls, body_of(message))
        return await self.get(merchant_id, event_id)

    async def _find(self, merchant_id: str, event_id: str) -> EventRecord:
        row = await self._pool.fetchrow(SQL["find_event"], merchant_id, event_id)
        if row is None or row["type"] not in TOLD:
            raise not_found("event")
        return event_record(row)

    async def _rows(
        self, merchant_id: str, wanted: EventFilter, limit: int, starting_after: str | None
    ) -> Sequence[asyncpg.Record]:
        times = (wanted.created_from, wanted.created_to)
        payment_id = wanted.payment_id
        if wanted.refund_id is not None:
            of_refund = await self._pool.fetchval(SQL["payment_of_refund"], wanted.refund_id, merchant_id)
            if of_refund is None or payment_id not in {None, of_refund}:
                return []
            payment_id = of_refund
        if payment_id is not None:
            return await self._pool.fetch(
                SQL["list_events_of_payment"],
                merchant_id,
                payment_id,
                starting_after,
                wanted.written,
                *times,
                wanted.refund_id,
                limit,
            )
        first = _bound(wanted.created_from, -_CLOCKS_DIFFER_MAX)
        last = _bound(wanted.created_to, _CLOCKS_DIFFER_MAX)
        return await self._pool.fetch(
            SQL["list_events"], merchant_id, starting_after, first, last, wanted.written, *times, limit
        )

    async def _shown(self, merchant_id: str, events: Sequence[EventRecord]) -> Sequence[JsonObject]:
        messages = await self._messages(merchant_id, events)
        return [
            {**message, "object": "event", "payment_id": _payment_of(event), "refund_id": event.refund_id}
            for event, message in zip(events, messages, strict=True)
        ]

    async def _messages(self, merchant_id: str, events: Sequence[EventRecord]) -> Sequence[JsonObject]:
        """What was sent of the events, or what would be: the same for everybody who asks later."""
        bodies = await self._pool.fetch(SQL["bodies"], [event.id for event in events], merchant_id)
        sent = {row["event_id"]: orjson.loads(row["body"]) for row in bodies}
        unsent = await render([event for event in events if event.id not in sent], self._renderers)
        messages = sent | unsent
        return [messages[event.id] for event in events]

    async def _deliveries(self, merchant_id: str, event_id: str) -> Sequence[JsonObject]:
        attempts: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in await self._pool.fetch(SQL["attempts"], event_id, merchant_id):
            attempts[row["endpoint_id"]].append(_attempt_json(row))
        rows = await self._pool.fetch(SQL["deliveries"], event_id, merchant_id)
        return [_delivery_json(row, merchant_id, attempts[row["endpoint_id"]]) for row in rows]

    async def _targets(self, event: EventRecord, endpoint_id: str | None) -> Sequence[tuple[str, str]]:
        """Ids and addresses, as the relay would take them; a named endpoint whatever types it has chosen."""
        if endpoint_id is not None:
            row = await self._pool.fetchrow(SQL["find_endpoint"], endpoint_id, event.merchant_id)
            if row is None:
                raise not_found("webhook endpoint", "endpoint_id")
            if row["status"] != "enabled":
                raise Conflict("endpoint_disabled", "This endpoint is disabled: enable it first.", param="endpoint_id")
            return [(row["id"], row["url"])]
        endpoints = await self._pool.fetch(SQL["endpoints_of_merchants"], [event.merchant_id])
        notify_url = await self._pool.fetchval(SQL["notify_url"], event.payment_id, event.merchant_id)
        wanted = targets(event, notify_url, endpoints)
        if not wanted:
            raise Conflict("nobody_to_tell", "No enabled endpoint wants events of this type.", param="id")
        return wanted


def _bound(moment: datetime | None, slack: timedelta) -> str | None:
    """An id that lies before (or behind) every event of that moment."""
    return None if moment is None else f"evt_{first_ulid_at(max(moment + slack, _FIRST_MOMENT))}"


def _payment_of(event: EventRecord) -> str | None:
    """The payment that the event belongs to; events of coupons and endpoints belong to none."""
    return event.payment_id if event.public_type.subject in {"payment", "refund"} else None


def _delivery_json(row: asyncpg.Record, merchant_id: str, attempts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "endpoint_id": None if row["endpoint_id"] == merchant_id else row["endpoint_id"],
        "url": row["url"],
        "status": row["status"],
        "tries": row["tries"],
        "next_try_at": None if row["next_at"] is None else rfc3339(row["next_at"]),
        "created_at": rfc3339(row["created_at"]),
        "finished_at": None if row["finished_at"] is None else rfc3339(row["finished_at"]),
        "attempts": list(attempts),
    }


def _attempt_json(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "try": row["try"],
        "at": rfc3339(row["at"]),
        "http_status": row["http_status"],
        "error": row["error"],
        "duration_ms": row["duration_ms"],
    }
