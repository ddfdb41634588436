"""Coupons in webhooks: as the API shows them, with the status that the event gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg

from gateway.webhooks.rendering import EventRecord, JsonObject, Renderer
from promotions.coupons.coupon import CouponStatus
from promotions.coupons.store import find_coupons

_LATER: Final[Mapping[str, Any]] = {"payment_id": None, "voided_at": None, "void_reason": None}
"""What an issued coupon does not have yet, whatever became of it since."""


def coupons_renderer(pool: asyncpg.Pool) -> Renderer:
    """Renders coupons: they stand in their events where payments have their id."""

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
