"""Coupons under /admin/v1: how many of a campaign are out, granted to customers, voided (docs/campaigns.md)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import Path, Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.campaigns.refusals import no_campaign
from gateway.admin.campaigns.schemas import CAMPAIGN_ID_PATTERN, CampaignId
from gateway.admin.coupons.schemas import (
    AdminCouponList,
    AdminCouponObject,
    CouponSummaryObject,
    GrantObject,
    GrantRequest,
)
from gateway.admin.once import database_of
from gateway.coupons.telling import tell_issued, tell_voided
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.errors import Conflict, Unavailable, not_found
from gateway.trail.recording import tell
from promotions.campaigns.campaign import Status
from promotions.coupons.campaigns import SQL, CouponCampaign, Database, find_campaign
from promotions.coupons.coupon import COUPON_ID_PATTERN, HeldCoupon, VoidReason
from promotions.coupons.granting import grant
from promotions.coupons.store import coupons_of_campaign, find_coupons, summary_of, void_coupon
from promotions.coupons.taking import Receiver, Refusal, TakeResult

_log: Final = logging.getLogger("mashang.admin")
_GRANTABLE: Final = frozenset({Status.ACTIVE, Status.PAUSED})

router = admin_router()

CouponId = Annotated[str, Path(pattern=COUPON_ID_PATTERN)]


@router.get(
    "/campaigns/{campaign_id}/coupons", response_model=CouponSummaryObject, summary="Count a campaign's coupons"
)
async def get_summary(request: Request, campaign_id: CampaignId) -> Response:
    """The stock, what is taken of it, and how the coupons came about and stand."""
    database = database_of(request)
    await _campaign(database, campaign_id)
    found = await summary_of(database, campaign_id)
    assert found is not None, "campaigns are never deleted"
    stock = (orjson.loads(found["terms"] or b"null") or {}).get("stock")
    shown = {
        "object": "coupon_summary",
        "campaign_id": campaign_id,
        "stock": stock,
        "taken": found["taken"],
        "left": None if stock is None else max(0, stock - found["taken"]),
        "by_source": {name: found[name] for name in ("claimed", "issued", "granted")},
        "by_status": {name: found[name] for name in ("valid", "redeemed", "expired", "voided")},
    }
    return json_answer(200, shown).to_response()


@router.post(
    "/campaigns/{campaign_id}/coupons",
    status_code=201,
    response_model=GrantObject,
    name="coupon.granted",
    summary="Grant coupons to customers",
)
async def post_grant(request: Request, campaign_id: CampaignId, wanted: GrantRequest) -> Response:
    """Give customers a coupon each, within the stock; claims wait meanwhile.

    The time for claims and the customers' limits do not matter.  Send an `Idempotency-Key`: without it a request that
    is sent twice grants twice.
    """
    connection = transaction_of(request)
    campaign = await _campaign(connection, campaign_id)
    if campaign.status not in _GRANTABLE:
        raise Conflict("campaign_status", f"The campaign is {campaign.status}: its coupons cannot be granted.")
    realm = await connection.fetchval(SQL["realm_of"], wanted.merchant_id)
    if realm is None:
        raise not_found("merchant", "merchant_id")
    vault = services_of(request).vault
    receivers = [Receiver.of(vault, wanted.merchant_id, realm, customer) for customer in wanted.customers]
    results = await grant(connection, campaign, receivers)
    _must_be_judged(results)
    issued = [result.id for result in results if result.id is not None]
    await tell_issued(connection, wanted.merchant_id, issued)
    tell(request, campaign_id, {"merchant_id": wanted.merchant_id, "asked": len(results), "granted": len(issued)})
    _log.info("coupons granted", extra={"campaign": campaign_id, "coupons": len(issued)})
    return json_answer(201, _grant_json(campaign_id, wanted.customers, results)).to_response()


@router.get("/coupons", response_model=AdminCouponList, summary="List coupons")
async def get_coupons(
    request: Request,
    *,
    campaign_id: Annotated[str | None, Query(pattern=CAMPAIGN_ID_PATTERN)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Query(pattern=COUPON_ID_PATTERN)] = None,
) -> Response:
    """The newest first, of all merchants; those of one campaign, or all."""
    found = await coupons_of_campaign(database_of(request), campaign_id, limit=limit + 1, starting_after=starting_after)
    data = [_coupon_json(coupon) for coupon in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.post(
    "/coupons/{coupon_id}/void", response_model=AdminCouponObject, name="coupon.voided", summary="Void a coupon"
)
async def post_void(request: Request, coupon_id: CouponId) -> Response:
    """Make a coupon that is not redeemed worthless for ever.  It stays counted in the stock."""
    connection = transaction_of(request)
    is_done = await void_coupon(connection, coupon_id, VoidReason.MANAGER)
    coupon = (await find_coupons(connection, [coupon_id])).get(coupon_id)
    if coupon is None:
        raise not_found("coupon", "coupon_id")
    if not is_done:
        by = "" if coupon.payment_id is None else f" by {coupon.payment_id}"
        raise Conflict("coupon_not_free", f"The coupon is {coupon.status} already{by}.", param="coupon_id")
    await tell_voided(connection, coupon.merchant_id, [coupon_id])
    tell(request, coupon_id, {"campaign_id": coupon.campaign_id})
    return json_answer(200, _coupon_json(coupon)).to_response()


async def _campaign(database: Database, campaign_id: str) -> CouponCampaign:
    """Raises the 404, and Conflict for one that has no coupons of customers' own."""
    campaign = await find_campaign(database, campaign_id)
    if campaign is not None:
        return campaign
    if await database.fetchval(SQL["campaign"], campaign_id) is None:
        raise no_campaign()
    message = "The campaign's discount needs no coupon of the customer's own."
    raise Conflict("no_coupons", message, param="campaign_id")


def _must_be_judged(results: Sequence[TakeResult]) -> None:
    """Raises Unavailable where the campaign was edited meanwhile, Conflict where it has just ended."""
    refusals = {result.refusal for result in results}
    if Refusal.CHANGED in refusals:
        raise Unavailable("try_again", "The campaign is being changed: send it again.", retry_after_s=1)
    if Refusal.OVER in refusals:
        raise Conflict("campaign_status", "The campaign has ended: its coupons cannot be granted.")


def _grant_json(campaign_id: str, customers: Sequence[str], results: Sequence[TakeResult]) -> dict[str, Any]:
    """GrantObject."""
    pairs = list(zip(customers, results, strict=True))
    return {
        "object": "coupon_grant",
        "campaign_id": campaign_id,
        "granted": [{"customer_id": who, "coupon_id": each.id} for who, each in pairs if each.refusal is None],
        "refused": [{"customer_id": who, "code": each.refusal} for who, each in pairs if each.refusal is not None],
    }


def _coupon_json(coupon: HeldCoupon) -> dict[str, Any]:
    """AdminCouponObject."""
    return {**coupon.to_json(), "merchant_id": coupon.merchant_id}
