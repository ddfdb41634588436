"""The steps of a campaign's life under /admin/v1: activate, pause, resume, end, and money on top."""

from __future__ import annotations

import logging
from typing import Final

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import answer_of, transaction_of
from gateway.admin.campaigns.refusals import refusals
from gateway.admin.campaigns.schemas import CampaignId, CampaignObject, TopUpRequest
from gateway.http.preferences import idempotency_key
from gateway.kernel.errors import InvalidRequest
from gateway.trail.recording import tell, tell_nothing
from promotions.campaigns import lifecycle
from promotions.campaigns.lifecycle import Step

_log: Final = logging.getLogger("mashang.admin")

router = admin_router()


@router.post(
    "/campaigns/{campaign_id}/activate",
    response_model=CampaignObject,
    name="campaign.activated",
    summary="Activate a campaign",
)
async def post_activate(request: Request, campaign_id: CampaignId) -> Response:
    """Put a draft in force; between `starts_at` and `ends_at` it gives discounts."""
    return await _step(request, campaign_id, Step.ACTIVATE)


@router.post(
    "/campaigns/{campaign_id}/pause", response_model=CampaignObject, name="campaign.paused", summary="Pause a campaign"
)
async def post_pause(request: Request, campaign_id: CampaignId) -> Response:
    """Stop it at once: once this is answered, no payment takes anything of it.  What is held stays held."""
    return await _step(request, campaign_id, Step.PAUSE)


@router.post(
    "/campaigns/{campaign_id}/resume",
    response_model=CampaignObject,
    name="campaign.resumed",
    summary="Resume a campaign",
)
async def post_resume(request: Request, campaign_id: CampaignId) -> Response:
    """Let a paused campaign go on with what is left."""
    return await _step(request, campaign_id, Step.RESUME)


@router.post(
    "/campaigns/{campaign_id}/end", response_model=CampaignObject, name="campaign.ended", summary="End a campaign"
)
async def post_end(request: Request, campaign_id: CampaignId) -> Response:
    """End it for ever: what is left goes back to the sponsors, and what is held or refunded later follows."""
    return await _step(request, campaign_id, Step.END)


@router.post(
    "/campaigns/{campaign_id}/top_up",
    response_model=CampaignObject,
    name="campaign.topped_up",
    summary="Add to a campaign's budget",
)
async def post_top_up(request: Request, campaign_id: CampaignId, wanted: TopUpRequest) -> Response:
    """Add money, once for each `Idempotency-Key`, which is required and known for ever.

    It can be taken at once; what payments hold is untouched.
    """
    key = idempotency_key(request.headers.get("idempotency-key"))
    if key is None:
        raise InvalidRequest(
            "invalid_header", "Idempotency-Key is required: money must not be added twice.", param="Idempotency-Key"
        )
    connection = transaction_of(request)
    with refusals():
        before, after = await lifecycle.top_up(connection, campaign_id, key, wanted.amount)
    if before == after:
        tell_nothing(request)
    else:
        budgets = {"before": before.caps.budget_fen, "after": after.caps.budget_fen}
        tell(request, campaign_id, {"amount": wanted.amount, "key": key, "budget": budgets})
    return await answer_of(connection, campaign_id, 200)


async def _step(request: Request, campaign_id: str, step: Step) -> Response:
    """CampaignObject, told in the trail where something has changed."""
    connection = transaction_of(request)
    with refusals():
        before, after = await lifecycle.take(connection, campaign_id, step)
    if before == after:
        tell_nothing(request)
    else:
        tell(request, campaign_id, {"status": {"before": before.status, "after": after.status}})
        _log.info("campaign changed", extra={"campaign": campaign_id, "status": after.status.value})
    return await answer_of(connection, campaign_id, 200)
