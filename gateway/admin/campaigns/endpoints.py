"""Campaigns under /admin/v1: written, looked at, edited; every process follows within a second (docs/campaigns.md)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict
from typing import Annotated, Any, Final, cast

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.matches import matches_of, recent_payments
from gateway.admin.campaigns.refusals import no_campaign, refusals
from gateway.admin.campaigns.schemas import (
    AfterCampaignId,
    BelowVersion,
    CampaignCheckObject,
    CampaignExamples,
    CampaignId,
    CampaignList,
    CampaignObject,
    CampaignVersions,
    GivenCampaign,
    GivenChange,
    GivenVersion,
    IfMatch,
    OfName,
    PaymentsLookedAt,
)
from gateway.admin.campaigns.views import campaign_answer, campaign_json, version_json
from gateway.admin.once import database_of
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.kernel.documents import DocumentError
from gateway.kernel.errors import InvalidRequest
from gateway.trail.entry import changes
from gateway.trail.recording import tell, tell_nothing
from promotions.campaigns import lifecycle, store
from promotions.campaigns.balances import balances_of, find_balance
from promotions.campaigns.campaign import Status
from promotions.campaigns.document import parse
from promotions.campaigns.lifecycle import Base, Change
from promotions.campaigns.store import VERSION_MAX, Database
from promotions.examples import example, names

_BASE_VERSION: Final = "base_version"
_CHECKED_ID: Final = "cam_00000000000000000000000000"
_ETAG: Final = re.compile(r'(?:W/)?"([1-9][0-9]{0,17})"')

router = admin_router()


@router.post(
    "/campaigns",
    status_code=201,
    response_model=CampaignObject,
    name="campaign.created",
    summary="Create a campaign",
)
async def post_campaign(request: Request, wanted: GivenCampaign) -> Response:
    """Write a draft: nothing is given before it is activated.

    A campaign with a problem is refused (`campaign_refused`; the message has all of them).
    """
    connection = transaction_of(request)
    with refusals():
        created = await lifecycle.draft(connection, wanted)
    tell(request, created.id, {"created": created.document})
    return await answer_of(connection, created.id, 201)


@router.get("/campaigns", response_model=CampaignList, summary="List campaigns")
async def get_campaigns(
    request: Request,
    *,
    status: Status | None = None,
    name: OfName = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: AfterCampaignId = None,
) -> Response:
    """The newest first, each with its budget."""
    database = database_of(request)
    found = await store.page(database, limit + 1, below=starting_after, status=status, name=name)
    balances = await balances_of(database, [stored.id for stored in found[:limit]])
    data = [campaign_json(balance) for balance in balances]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.get("/campaigns/examples", response_model=CampaignExamples, summary="List examples of campaigns")
async def get_examples(request: Request) -> Response:  # noqa: ARG001  every route looks at its token
    """Campaigns to begin from; they take effect like any other: created, then activated."""
    data = [{"name": name, "campaign": example(name)} for name in names()]
    return json_answer(200, {"object": "list", "data": data, "has_more": False}).to_response()


@router.post("/campaigns/check", response_model=CampaignCheckObject, summary="Check a campaign")
async def post_check(request: Request, wanted: GivenCampaign, *, payments: PaymentsLookedAt = 500) -> Response:
    """All that is wrong with a campaign; or where nothing is, how many of the newest payments its condition matches."""
    tell_nothing(request)
    given, _ = _without_base_version(wanted)
    try:
        campaign = await asyncio.to_thread(parse, given, campaign_id=_CHECKED_ID, version=1, status=Status.DRAFT)
    except DocumentError as error:
        return _check_answer([asdict(problem) for problem in error.problems], None)
    recent = await recent_payments(database_of(request), payments)
    return _check_answer([], await asyncio.to_thread(matches_of, campaign, recent))


@router.get("/campaigns/{campaign_id}", response_model=CampaignObject, summary="Read a campaign")
async def get_campaign(request: Request, campaign_id: CampaignId) -> Response:
    """The version in force, and what became of its budget; `ETag` is its revision."""
    return await answer_of(database_of(request), campaign_id, 200)


@router.get("/campaigns/{campaign_id}/versions", response_model=CampaignVersions, summary="List a campaign's versions")
async def get_versions(
    request: Request,
    campaign_id: CampaignId,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: BelowVersion = None,
) -> Response:
    """The newest first, as they were written."""
    database = database_of(request)
    stored = await store.find(database, campaign_id)
    if stored is None:
        raise no_campaign()
    found = await store.history(database, campaign_id, limit + 1, below=starting_after)
    data = [version_json(each, stored.version) for each in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.put(
    "/campaigns/{campaign_id}",
    response_model=CampaignObject,
    name="campaign.replaced",
    summary="Write a campaign's next version",
)
async def put_campaign(
    request: Request, campaign_id: CampaignId, wanted: GivenVersion, *, if_match: IfMatch = None
) -> Response:
    """Replace the document, whole; in force at once, for payments that begin and for those on their way.

    Of one that was activated, the time zone stays, and no limit goes below what is used.  The same again changes
    nothing.
    """
    document, base_version = _without_base_version(wanted)
    connection = transaction_of(request)
    with refusals():
        change = await lifecycle.edit(connection, campaign_id, document, _base(base_version, if_match))
    return await _edited(request, connection, change)


@router.patch(
    "/campaigns/{campaign_id}", response_model=CampaignObject, name="campaign.changed", summary="Change a campaign"
)
async def patch_campaign(
    request: Request, campaign_id: CampaignId, wanted: GivenChange, *, if_match: IfMatch = None
) -> Response:
    """Change what is given (JSON merge patch): `{"limits": {"budget_per_day": 300000}}`; else as for PUT."""
    patch, base_version = _without_base_version(wanted)
    connection = transaction_of(request)
    with refusals():
        change = await lifecycle.amend(connection, campaign_id, patch, _base(base_version, if_match))
    return await _edited(request, connection, change)


def transaction_of(request: Request) -> Connection:
    """The transaction in which every change of the admin API is carried out."""
    return cast("Connection", database_of(request))


async def answer_of(database: Database, campaign_id: str, status: int) -> Response:
    """CampaignObject as it stands.  Raises the 404."""
    balance = await find_balance(database, campaign_id)
    if balance is None:
        raise no_campaign()
    return campaign_answer(status, balance).to_response()


async def _edited(request: Request, connection: Connection, change: Change) -> Response:
    """CampaignObject, told in the trail where something has changed."""
    before, after = change
    if before == after:
        tell_nothing(request)
    else:
        versions = {"version": {"before": before.version, "after": after.version}}
        tell(request, after.id, versions | changes(before.document, after.document))
    return await answer_of(connection, after.id, 200)


def _without_base_version(wanted: object) -> tuple[dict[str, Any], int | None]:
    """The document itself, and on which version it builds.  Raises InvalidRequest."""
    if not isinstance(wanted, dict):
        raise InvalidRequest("invalid_json", "The body is not a JSON object.", param="body")
    document = {name: value for name, value in wanted.items() if name != _BASE_VERSION}
    base = wanted.get(_BASE_VERSION)
    if base is None or (type(base) is int and 1 <= base <= VERSION_MAX):
        return document, base
    raise InvalidRequest("invalid_field", f"“{_BASE_VERSION}” is the number of a version.", param=_BASE_VERSION)


def _base(version: int | None, if_match: str | None) -> Base:
    """Raises InvalidRequest."""
    if if_match is None or if_match == "*":
        return Base(version)
    found = _ETAG.fullmatch(if_match)
    if found is None:
        raise InvalidRequest(
            "invalid_header", 'If-Match takes the ETag of what was read, such as "7".', param="If-Match"
        )
    return Base(version, int(found[1]))


def _check_answer(problems: list[dict[str, Any]], matches: dict[str, Any] | None) -> Response:
    """CampaignCheckObject."""
    answer = {"object": "campaign_check", "valid": not problems, "problems": problems, "payments": matches}
    return json_answer(200, answer).to_response()
