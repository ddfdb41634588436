"""What the API of coupons takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.payments.schemas import Text
from promotions.coupons.coupon import CouponStatus, Source, VoidReason

CAMPAIGN_ID_PATTERN: Final = r"^cam_[0-9A-HJKMNP-TV-Z]{26}$"

CLAIM_REQUEST: Final[dict[str, Any]] = {
    "campaign_id": "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "customer": {"id": "c-42", "card_bin": "622202"},
}
COUPON: Final[dict[str, Any]] = {
    "id": "cpn_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "object": "coupon",
    "campaign_id": "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "name": "满20减5",
    "status": "valid",
    "source": "claimed",
    "earned_by": None,
    "payment_id": None,
    "created_at": "2026-11-22T02:00:00.113Z",
    "expires_at": "2026-11-29T02:00:00.113Z",
    "voided_at": None,
    "void_reason": None,
}
COUPON_LIST: Final[dict[str, Any]] = {"object": "list", "data": [COUPON], "has_more": False}

CustomerId = Annotated[Text, Field(min_length=1, max_length=64)]


class CouponCustomer(BaseModel):
    """Whose coupon it is to be: `id` is the till's own, as in payments."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: CustomerId
    card_bin: Annotated[
        str | None,
        Field(pattern=r"^[0-9]{6,8}$", description="Where it is known: coupons of a bank are for its cards only."),
    ] = None


class ClaimRequest(BaseModel):
    """Claim a coupon of a campaign for a customer (领券)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra={"examples": [CLAIM_REQUEST]})

    campaign_id: Annotated[str, Field(pattern=CAMPAIGN_ID_PATTERN)]
    customer: CouponCustomer


class CouponObject(BaseModel):
    """One customer's coupon.  Its id goes into `coupons` of the payment that is to redeem it."""

    model_config = ConfigDict(json_schema_extra={"examples": [COUPON]})

    id: str
    object: Literal["coupon"]
    campaign_id: str
    name: Annotated[str, Field(description="The campaign's.")]
    status: Annotated[
        CouponStatus,
        Field(description="`redeemed`: taken by `payment_id`; `valid` again where nothing comes of that payment."),
    ]
    source: Annotated[
        Source, Field(description="`issued`: for the payment in `earned_by`; `granted`: by the campaign's manager.")
    ]
    earned_by: str | None
    payment_id: str | None
    created_at: datetime
    expires_at: Annotated[datetime | None, Field(description="Its own end or its campaign's, whichever comes first.")]
    voided_at: datetime | None
    void_reason: VoidReason | None


class CouponList(BaseModel):
    """A page of coupons, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [COUPON_LIST]})

    object: Literal["list"]
    data: list[CouponObject]
    has_more: bool
