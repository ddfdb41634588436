"""How a coupon stands: voided, redeemed, expired at its very second, or valid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from gateway.coupons.schemas import COUPON, CouponObject
from promotions.coupons.coupon import CouponStatus, HeldCoupon, Source, VoidReason

NOW: Final = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
COUPON_HELD: Final = HeldCoupon(
    id="cpn_1",
    campaign_id="cam_1",
    name="满20减5",
    merchant_id="mer_1",
    realm="mer_1",
    source=Source.CLAIMED,
    created_at=NOW - timedelta(days=1),
    expires_at=None,
    read_at=NOW,
)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, CouponStatus.VALID),
        ({"expires_at": NOW + timedelta(microseconds=1)}, CouponStatus.VALID),
        ({"expires_at": NOW}, CouponStatus.EXPIRED),
        ({"payment_id": "pay_1"}, CouponStatus.REDEEMED),
        ({"payment_id": "pay_1", "expires_at": NOW - timedelta(days=1)}, CouponStatus.REDEEMED),
        ({"voided_at": NOW, "void_reason": VoidReason.MANAGER}, CouponStatus.VOIDED),
        ({"voided_at": NOW, "expires_at": NOW - timedelta(days=1)}, CouponStatus.VOIDED),
    ],
)
def test_a_coupon_stands_as_its_row_and_the_clock_say(changes: dict[str, Any], status: CouponStatus) -> None:
    assert replace(COUPON_HELD, **changes).status is status


def test_it_is_shown_as_documented() -> None:
    shown = replace(COUPON_HELD, expires_at=NOW, voided_at=NOW, void_reason=VoidReason.REFUNDED).to_json()
    assert shown.keys() == COUPON.keys() == CouponObject.model_fields.keys()
    assert (shown["status"], shown["void_reason"]) == ("voided", "refunded")
    assert shown["expires_at"] == "2026-11-22T02:00:00.000Z"
