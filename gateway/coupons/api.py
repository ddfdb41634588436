"""The endpoints of coupons.  `POST /v1/coupons` is reached directly by the edge; the route here documents it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError

from gateway.coupons.refusals import refusal
from gateway.coupons.schemas import CAMPAIGN_ID_PATTERN, ClaimRequest, CouponList, CouponObject, CustomerId
from gateway.http.answers import Answer, Call, invalid_body, json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated, authenticated_call
from gateway.http.preferences import idempotency_key
from gateway.http.services import Services, services_of
from gateway.kernel.errors import not_found
from gateway.kernel.metrics import COUPON_CLAIMS
from gateway.merchants.store import Merchant, Scope
from promotions.coupons.claiming import Claim, Claimed, Refused
from promotions.coupons.coupon import COUPON_ID_PATTERN, CouponStatus, HeldCoupon, Source
from promotions.coupons.store import CouponFilter, find_coupon, list_coupons
from promotions.coupons.taking import Receiver, customer_key

router = APIRouter(prefix="/v1/coupons", tags=["coupons"], dependencies=[Depends(no_unknown_parameters)])

CouponId = Annotated[str, Path(pattern=COUPON_ID_PATTERN, examples=["cpn_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"])]
_REPLAYED: Final = ((b"idempotent-replayed", b"true"),)


async def claim(services: Services, call: Call) -> Answer:
    """Claim a coupon: 201 with the coupon, or the error that says why there is none."""
    holder = await authenticated_call(services, call, Scope.PAY)
    try:
        wanted = ClaimRequest.model_validate_json(call.body)
    except ValidationError as error:
        raise invalid_body(error) from None
    key = idempotency_key(call.header(b"idempotency-key"))
    realm = realm_of(holder.merchant)
    receiver = Receiver.of(services.vault, holder.merchant.id, realm, wanted.customer.id)
    claimed = await services.claiming.claim(Claim(wanted.campaign_id, receiver, key, wanted.customer.card_bin))
    if isinstance(claimed, Refused):
        COUPON_CLAIMS.labels(claimed.reason).inc()
        raise refusal(claimed)
    COUPON_CLAIMS.labels("replayed" if claimed.replayed else "claimed").inc()
    coupon = await _shown(services, claimed, receiver)
    return json_answer(201, coupon.to_json(), _REPLAYED if claimed.replayed else ())


@router.post(
    "",
    status_code=201,
    response_model=CouponObject,
    summary="Claim a coupon",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ClaimRequest"}}},
        }
    },
)
async def post_claim(
    request: Request,
    idempotency_key: Annotated[  # noqa: ARG001  documented here, read from the call
        str | None, Header(max_length=255, description="The same customer and key: the same coupon.")
    ] = None,
) -> Response:
    """Claim a coupon of a campaign for a customer (领券); at a flash sale (秒杀), in order of arrival.

    Without a key every claim is a new one, up to what a customer may have.  409 `not_open_yet` comes with
    `Retry-After`; `sold_out` is final until the manager adds to the stock.
    """
    scope = request.scope
    call = Call(
        dict(scope["headers"]),
        await request.body(),
        scope["mashang.request_id"],
        scope["method"],
        scope["raw_path"],
        scope["query_string"],
    )
    return (await claim(services_of(request), call)).to_response()


@router.get("", response_model=CouponList, summary="List coupons")
async def get_coupons(
    request: Request,
    *,
    customer_id: Annotated[
        CustomerId | None, Query(description="The till's own id of the customer; all customers without it.")
    ] = None,
    status: CouponStatus | None = None,
    campaign_id: Annotated[str | None, Query(pattern=CAMPAIGN_ID_PATTERN)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Query(pattern=COUPON_ID_PATTERN)] = None,
) -> Response:
    """The newest first; those that the customer got at other merchants of the same realm among them."""
    services = services_of(request)
    merchant = (await authenticated(request, Scope.READ)).merchant
    realm = realm_of(merchant)
    customer = None if customer_id is None else customer_key(services.vault, realm, customer_id)
    wanted = CouponFilter(realm, customer, status, campaign_id)
    found = await list_coupons(services.pool, wanted, limit=limit + 1, starting_after=starting_after)
    data = [coupon.to_json() for coupon in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.get("/{coupon_id}", response_model=CouponObject, summary="Read a coupon")
async def get_coupon(request: Request, coupon_id: CouponId) -> Response:
    """A coupon by its id, of a customer of the merchant or its realm."""
    services = services_of(request)
    merchant = (await authenticated(request, Scope.READ)).merchant
    coupon = await find_coupon(services.pool, coupon_id, realm_of(merchant))
    if coupon is None:
        raise not_found("coupon", "coupon_id")
    return json_answer(200, coupon.to_json()).to_response()


def realm_of(merchant: Merchant) -> str:
    """What the ids of a merchant's customers belong to."""
    return merchant.customer_realm or merchant.id


async def _shown(services: Services, claimed: Claimed, receiver: Receiver) -> HeldCoupon:
    """A new coupon is known as it was written; one of an earlier claim may have been redeemed since."""
    if claimed.replayed:
        found = await find_coupon(services.pool, claimed.coupon_id, receiver.realm)
        assert found is not None, "coupons are never deleted"
        return found
    ends = [moment for moment in (claimed.expires_at, claimed.campaign.ends_at) if moment is not None]
    return HeldCoupon(
        id=claimed.coupon_id,
        campaign_id=claimed.campaign.id,
        name=claimed.campaign.name,
        merchant_id=receiver.merchant_id,
        realm=receiver.realm,
        source=Source.CLAIMED,
        created_at=claimed.created_at,
        expires_at=min(ends, default=None),
        read_at=claimed.created_at,
    )
