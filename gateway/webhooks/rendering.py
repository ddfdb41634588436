"""The body of a message: the event, and its subject as the API shows it, with the status that the event gave it.

A room whose events are told gives a renderer for its subject (see `Renderers`); the webhooks know none from within.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import asyncpg
import orjson

from gateway.kernel.clock import rfc3339
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from gateway.webhooks.announcing import SQL
from gateway.webhooks.catalogue import WebhookType, public_type


class EventRecord(NamedTuple):
    """A written event.  `payment_id` is its subject's id where that is no payment and no refund."""

    id: str
    merchant_id: str
    type: str
    payment_id: str
    refund_id: str | None
    seq: int
    to_status: str
    at: datetime

    @property
    def public_type(self) -> WebhookType:
        """What it is called outside."""
        return public_type(self.type)


JsonObject: TypeAlias = Mapping[str, Any]
Renderer: TypeAlias = Callable[[Sequence[EventRecord]], Awaitable[Mapping[str, JsonObject]]]
"""The subjects of some events, by the event's id: each as the API shows it now, with the status of the event.

An event whose subject is not found is left out.
"""
Renderers: TypeAlias = Mapping[str, Renderer]
"""By subject: `payment`, `refund`, `coupon`, `webhook_endpoint`."""


def event_record(row: asyncpg.Record) -> EventRecord:
    """A row with the columns of `find_event`."""
    return EventRecord(*(row[name] for name in EventRecord._fields))


async def render(events: Sequence[EventRecord], renderers: Renderers) -> dict[str, JsonObject]:
    """The messages of events, by their ids; those that cannot be rendered are left out."""
    by_subject: defaultdict[str, list[EventRecord]] = defaultdict(list)
    for event in events:
        by_subject[event.public_type.subject].append(event)
    subjects: dict[str, JsonObject] = {}
    for subject, those in by_subject.items():
        if (renderer := renderers.get(subject)) is not None:
            subjects.update(await renderer(those))
    return {event.id: message_of(event, subjects[event.id]) for event in events if event.id in subjects}


def body_of(message: JsonObject) -> str:
    """The message as it is sent, always in the same bytes."""
    return orjson.dumps(message).decode()


def message_of(event: EventRecord, subject: JsonObject) -> JsonObject:
    return {
        "id": event.id,
        "type": event.public_type,
        "timestamp": rfc3339(event.at),
        "sequence": event.seq,
        "data": subject,
    }


class Shown(Protocol):
    """What the API shows."""

    def to_json(self) -> dict[str, Any]:
        """As an object of the API."""


Find: TypeAlias = Callable[[str, str], Awaitable[Shown | None]]
"""Reads an object of a merchant: (merchant id, object id)."""


def refunds_renderer(find: Find) -> Renderer:
    """Renders refunds.  Merchants are told of their ends only, after which they do not change."""

    async def refunds_of(events: Sequence[EventRecord]) -> Mapping[str, JsonObject]:
        found = {event.id: await find(event.merchant_id, event.refund_id or "") for event in events}
        return {event_id: refund.to_json() for event_id, refund in found.items() if refund is not None}

    return refunds_of


_FIELDS_OF_THE_END: Final[Mapping[str, Any]] = {"failure": None, "failure_channel_code": None, "completed_at": None}


def payments_renderer(pool: asyncpg.Pool, store: PaymentStore) -> Renderer:
    """Renders payments.  What only a later state has is not shown with an earlier one."""

    async def payments_of(events: Sequence[EventRecord]) -> Mapping[str, JsonObject]:
        wanted = {(event.payment_id, event.merchant_id) for event in events}
        ids, merchants = zip(*sorted(wanted), strict=True)
        found = {}
        for payment in await store.whole(await pool.fetch(SQL["payments"], ids, merchants)):
            found[payment.id] = payment
        return {
            event.id: _as_of(found[event.payment_id], event).to_json() for event in events if event.payment_id in found
        }

    return payments_of


def _as_of(payment: Payment, event: EventRecord) -> Payment:
    status = Status(event.to_status)
    if status is payment.status:
        return payment
    if not status.is_final:
        return payment.with_(status=status, **_FIELDS_OF_THE_END)
    return payment.with_(status=status)
