"""A coupon that a customer holds: where it came from and how it stands, as its row and the clock say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import asyncpg

from gateway.kernel.clock import rfc3339

COUPON_ID_PATTERN: Final = r"^cpn_[0-9A-HJKMNP-TV-Z]{26}$"
PREFIX: Final = "cpn"


class Source(StrEnum):
    """How the customer came by it."""

    CLAIMED = "claimed"
    ISSUED = "issued"
    """For a payment (满额返券)."""
    GRANTED = "granted"
    """By the campaign's manager."""


class CouponStatus(StrEnum):
    """How a coupon stands; nothing of it is stored as such."""

    VALID = "valid"
    REDEEMED = "redeemed"
    """A payment has taken it; where nothing comes of that payment it is valid again."""
    EXPIRED = "expired"
    VOIDED = "voided"


class VoidReason(StrEnum):
    """Why a coupon is worth nothing any more."""

    REFUNDED = "refunded"
    REVERSED = "reversed"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class HeldCoupon:
    """One customer's coupon.  `expires_at` is its own end or its campaign's, whichever comes first; None is no end.

    `read_at` is the database's time of the reading, which decides whether it is expired.
    """

    id: str
    campaign_id: str
    name: str
    merchant_id: str
    realm: str
    source: Source
    created_at: datetime
    expires_at: datetime | None
    read_at: datetime
    earned_by: str | None = None
    payment_id: str | None = None
    voided_at: datetime | None = None
    void_reason: VoidReason | None = None

    @property
    def status(self) -> CouponStatus:
        """Voided and redeemed come first: they stay so when the time is over."""
        if self.voided_at is not None:
            return CouponStatus.VOIDED
        if self.payment_id is not None:
            return CouponStatus.REDEEMED
        if self.expires_at is not None and self.expires_at <= self.read_at:
            return CouponStatus.EXPIRED
        return CouponStatus.VALID

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "object": "coupon",
            "campaign_id": self.campaign_id,
            "name": self.name,
            "status": self.status,
            "source": self.source,
            "earned_by": self.earned_by,
            "payment_id": self.payment_id,
            "created_at": rfc3339(self.created_at),
            "expires_at": None if self.expires_at is None else rfc3339(self.expires_at),
            "voided_at": None if self.voided_at is None else rfc3339(self.voided_at),
            "void_reason": self.void_reason,
        }


def coupon_of(record: asyncpg.Record) -> HeldCoupon:
    """A row with the columns of the statements in coupons.sql."""
    reason = record["void_reason"]
    return HeldCoupon(
        id=record["id"],
        campaign_id=record["campaign_id"],
        name=record["name"],
        merchant_id=record["merchant_id"],
        realm=record["realm"],
        source=Source(record["source"]),
        created_at=record["created_at"],
        expires_at=record["expires_at"],
        read_at=record["read_at"],
        earned_by=record["earned_by"],
        payment_id=record["payment_id"],
        voided_at=record["voided_at"],
        void_reason=None if reason is None else VoidReason(reason),
    )
