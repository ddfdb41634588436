"""Composes how coupons are claimed in one process."""

from __future__ import annotations

from gateway.composition import Base
from gateway.database.group_commit import GroupCommit
from promotions.coupons.claiming import Claiming
from promotions.coupons.taking import Taking


def claiming(base: Base) -> Claiming:
    """On the pool that payments do not wait for: a flash sale holds one connection of it."""
    settings = base.settings
    takes = GroupCommit(
        "claim",
        Taking(base.pool).flush,
        rows_max=settings.batch_rows_max,
        queue_max=settings.batch_queue_max,
        linger_ms_max=settings.batch_linger_ms_max,
    )
    return Claiming(base.coupons, takes)
