"""Webhooks: whoever wants to be told of an event is told, and of that event; what is to be sent is not lost.

Compared in the database's own words, for events, deliveries and queues are known by the event and not by the payment.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import orjson

from gateway.audit.checks import Check
from gateway.audit.database import SQL
from gateway.audit.findings import Findings
from gateway.audit.scene import Scene
from gateway.audit.span import Days, bounds
from gateway.kernel.clock import rfc3339
from gateway.webhooks.catalogue import TOLD, WebhookType, public_type

_ROWS: Final = 500
_CHANGED_BEFORE: Final = timedelta(seconds=10)
"""An endpoint that was made or changed so shortly before an event may not have been seen by its transaction."""
_FOR_ALL: Final = tuple([written for written in TOLD if written != WebhookType.ENDPOINT_TEST])
"""What goes through the outbox; a test is for one endpoint only."""
_EVER: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
_ID_SPREAD: Final = timedelta(hours=1)
"""The id of an event is of the process' clock, its time of the database's: they differ by far less."""


@dataclass(slots=True)
class WebhookTally:
    """Events that can be told, deliveries by status, and how much waits in the outbox, or anywhere past the bound."""

    events: int = 0
    deliveries: Counter[str] = field(default_factory=Counter)
    outbox: int = 0
    overdue: int = 0


async def check_webhooks(
    connection: asyncpg.Connection, scene: Scene, days: Days | None, findings: Findings
) -> WebhookTally:
    """Those of the events of some days (also of payments that are older), or of all; queues always whole.

    Has to run in a snapshot of the audit's.
    """
    begin, end = _EVER if days is None else (days.begin, days.end)
    tally = WebhookTally(events=await connection.fetchval(SQL["events_told"], _FOR_ALL, begin, end))
    findings.compare(Check.WEBHOOK_DELIVERY, tally.events)
    await _check_told(connection, begin, end, findings)
    made = (*bounds(days, "evt_"), begin - _ID_SPREAD, end + _ID_SPREAD)
    async for row in connection.cursor(SQL["deliveries"], *made, prefetch=_ROWS):
        tally.deliveries[row["status"]] += 1
        tally.overdue += row["status"] == "pending" and scene.now > row["created_at"] + scene.bound
        _check_delivery(row, findings)
    async for row in connection.cursor(SQL["queue_astray"], prefetch=_ROWS):
        findings.add(Check.WEBHOOK_QUEUE, "queued, and there is no such delivery", **row)
    async for row in connection.cursor(SQL["outbox"], prefetch=_ROWS):
        tally.outbox += 1
        findings.compare(Check.WEBHOOK_QUEUE)
        if row["at"] is None:
            ids = {"event_id": row["event_id"], "payment_id": row["payment_id"]}
            findings.add(Check.WEBHOOK_QUEUE, "in the outbox, and there is no such event", **ids)
        else:
            tally.overdue += scene.now > row["at"] + scene.bound
    return tally


async def _check_told(connection: asyncpg.Connection, begin: datetime, end: datetime, findings: Findings) -> None:
    public = [public_type(written) for written in _FOR_ALL]
    wanted = (_FOR_ALL, public, _CHANGED_BEFORE, begin, end)
    async for row in connection.cursor(SQL["untold"], *wanted, prefetch=_ROWS):
        findings.add(Check.WEBHOOK_DELIVERY, "wanted, and neither delivered nor about to be", **row)


def _check_delivery(row: asyncpg.Record, findings: Findings) -> None:
    ids = {"event_id": row["event_id"], "endpoint_id": row["endpoint_id"]}
    findings.compare(Check.WEBHOOK_MESSAGE)
    findings.compare(Check.WEBHOOK_QUEUE)
    if row["type"] is None:
        findings.add(Check.WEBHOOK_DELIVERY, "delivered, and there is no such event", **ids)
    elif (difference := _difference(row)) is not None:
        findings.add(Check.WEBHOOK_MESSAGE, difference, **ids)
    if row["queued"] != (row["status"] == "pending"):
        findings.add(Check.WEBHOOK_QUEUE, f"{row['status']}, {'' if row['queued'] else 'not '}in the queue", **ids)


def _difference(row: asyncpg.Record) -> str | None:
    """What the message tells other than its event; None where they agree."""
    try:
        told = _told(orjson.loads(row["body"]))
        event = _event(row)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"no message of an event of type {row['type']}"
    return None if told == event else f"told {told}, the event is {event}"


_Essence = tuple[str, str, int, str, str | None]


def _told(message: Any) -> _Essence:
    data, kind = message["data"], message["type"]
    status = None if kind.startswith("webhook_endpoint.") else data["status"]
    return message["id"], kind, message["sequence"], message["timestamp"], f"{data['id']} {status}"


def _event(row: asyncpg.Record) -> _Essence:
    at: datetime = row["at"]
    kind = public_type(row["type"])
    subject = row["refund_id"] if kind.subject == "refund" else row["payment_id"]
    by_subject = {"payment": row["to_status"], "coupon": row["to_status"], "refund": kind.partition(".")[2]}
    status = by_subject.get(kind.subject)
    return row["event_id"], kind, row["seq"], rfc3339(at), f"{subject} {status}"
