"""Tells merchants of their customers' coupons: writes the events, and renders them for webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg

from gateway.database.pool import Connection
from gateway.webhooks.announcing import NewEvent, announce
from gateway.webhooks.catalogue import WebhookType
from gateway.webhooks.rendering import EventRecord, JsonObject, Renderer
from promotions.coupons.coupon import CouponStatus
from promotions.coupons.store import find_coupons

_FIRST: Final = 1
_SECOND: Final = 2
"""A coupon has two events at most: it is issued, and it is voided."""
_LATER: Final[Mapping[str, Any]] = {"payment_id": None, "voided_at": None, "void_reason": None}
"""What an issued coupon does not have yet, whatever became of it since."""


async def tell_issued(connection: Connection, merchant_id: str, coupon_ids: Iterable[str]) -> None:
    """Customers have got coupons without asking; in the transaction in which they got them."""
    for coupon_id in coupon_ids:
        event = NewEvent(coupon_id, merchant_id, _FIRST, WebhookType.COUPON_ISSUED, None, CouponStatus.VALID)
        await announce(connection, event)


async def tell_voided(connection: Connection, merchant_id: str, coupon_ids: Iterable[str]) -> None:
    """Coupons have become worthless; in the transaction in which they did."""
    before, after = CouponStatus.VALID, CouponStatus.VOIDED
    for coupon_id in coupon_ids:
        event = NewEvent(coupon_id, merchant_id, _SECOND, WebhookType.COUPON_VOIDED, before, after)
        await announce(connection, event)


def coupons_renderer(pool: asyncpg.Pool) -> Renderer:
    """Renders coupons, as the API shows them with the status of the event: in its row they stand where payments do."""

    async def coupons_of(events: Sequence[EventRecord]) -> Mapping[str, JsonObject]:
        found = await find_coupons(pool, [event.payment_id for event in events])
        return {
            event.id: {
                **found[event.payment_id].to_json(),
                **(_LATER if event.to_status == CouponStatus.VALID else {}),
                "status": event.to_status,
            }
            for event in events
            if event.payment_id in found
        }

    return coupons_of
