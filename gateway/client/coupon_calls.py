"""The calls of coupons: claimed for a customer, listed, read."""

from __future__ import annotations

import secrets

from gateway.client.call import Call, json_body, part, target
from gateway.client.objects import Coupon, CouponStatus, Page

_COUPONS = "/v1/coupons"


def claim_coupon(
    campaign_id: str, customer_id: str, *, card_bin: str | None = None, idempotency_key: str | None = None
) -> Call[Coupon]:
    """Claim a coupon of a campaign for a customer; under the same key again, the same coupon.

    ApiError `not_open_yet` comes before the sale begins, with `retry_after_s`; `sold_out` and `limit_reached` after.
    """
    customer = {"id": customer_id} | ({} if card_bin is None else {"card_bin": card_bin})
    body = json_body({"campaign_id": campaign_id, "customer": customer})
    return Call("POST", _COUPONS, body, idempotency_key=idempotency_key or secrets.token_urlsafe(16))


def coupons(
    customer_id: str,
    *,
    status: CouponStatus | None = None,
    campaign_id: str | None = None,
    limit: int | None = None,
    starting_after: str | None = None,
) -> Call[Page[Coupon]]:
    """List a customer's coupons, newest first."""
    return Call(
        "GET",
        target(
            _COUPONS,
            customer_id=customer_id,
            status=status,
            campaign_id=campaign_id,
            limit=limit,
            starting_after=starting_after,
        ),
    )


def find_coupon(coupon_id: str) -> Call[Coupon]:
    """Read a coupon."""
    return Call("GET", f"{_COUPONS}/{part(coupon_id)}")
