"""What the admin API of coupons takes and gives."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.admin.access import AdminRequest, example
from gateway.coupons.schemas import COUPON, COUPON_LIST, CouponObject, CustomerId

CUSTOMERS_MAX: Final = 500
"""Of one grant: its transaction holds the campaign's stock meanwhile."""

GRANT_REQUEST: Final[dict[str, Any]] = {
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "customers": ["c-42", "c-43"],
}
ADMIN_COUPON: Final[dict[str, Any]] = {**COUPON, "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"}
GRANT: Final[dict[str, Any]] = {
    "object": "coupon_grant",
    "campaign_id": "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "granted": [{"customer_id": "c-42", "coupon_id": "cpn_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"}],
    "refused": [{"customer_id": "c-43", "code": "sold_out"}],
}
SUMMARY: Final[dict[str, Any]] = {
    "object": "coupon_summary",
    "campaign_id": "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "stock": 1000,
    "taken": 1000,
    "left": 0,
    "by_source": {"claimed": 990, "issued": 0, "granted": 10},
    "by_status": {"valid": 160, "redeemed": 830, "expired": 8, "voided": 2},
}


class GrantRequest(AdminRequest):
    """Give each of these customers one coupon; a customer who stands there twice gets two."""

    model_config = ConfigDict(strict=True, json_schema_extra={"examples": [GRANT_REQUEST]})

    merchant_id: Annotated[
        str, Field(pattern=r"^mer_[0-9A-HJKMNP-TV-Z]{26}$", description="Whose customers, or whose realm's.")
    ]
    customers: Annotated[
        list[CustomerId], Field(min_length=1, max_length=CUSTOMERS_MAX, description="The till's own ids.")
    ]


class Granted(BaseModel):
    """A customer who has got one."""

    customer_id: str
    coupon_id: str


class NotGranted(BaseModel):
    """A customer who has got none."""

    customer_id: str
    code: Literal["sold_out"]


class GrantObject(BaseModel):
    """Who got a coupon, in the order of the request, and for whom none was left."""

    model_config = example(GRANT)

    object: Literal["coupon_grant"]
    campaign_id: str
    granted: list[Granted]
    refused: list[NotGranted]


class BySource(BaseModel):
    """How the coupons came about."""

    claimed: int
    issued: int
    granted: int


class ByStatus(BaseModel):
    """How they stand."""

    valid: int
    redeemed: int
    expired: int
    voided: int


class CouponSummaryObject(BaseModel):
    """How many coupons of a campaign there are.  What is voided stays taken: more `stock` is the campaign's to give."""

    model_config = example(SUMMARY)

    object: Literal["coupon_summary"]
    campaign_id: str
    stock: Annotated[int | None, Field(description="Null: as many as are wanted.")]
    taken: int
    left: int | None
    by_source: BySource
    by_status: ByStatus


class AdminCouponObject(CouponObject):
    """A coupon, and through which merchant its customer got it."""

    model_config = example(ADMIN_COUPON)

    merchant_id: str


class AdminCouponList(BaseModel):
    """A page of coupons, newest first."""

    model_config = example({**COUPON_LIST, "data": [ADMIN_COUPON]})

    object: Literal["list"]
    data: list[AdminCouponObject]
    has_more: bool
