"""What analysts do about risk cases under /admin/v1: claim, release, note, decide, open again."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.risk.cases.entries import Listing, list_values
from gateway.admin.risk.cases.schemas import (
    CaseId,
    CaseObject,
    CaseVerdictRequest,
    ClaimRequest,
    NoteRequest,
    ReleaseRequest,
)
from gateway.admin.risk.cases.views import case_json
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.errors import Conflict
from gateway.kernel.metrics import RISK_CASE_SECONDS, RISK_CASE_VERDICTS
from gateway.trail.recording import tell
from risk.cases.case import Case
from risk.cases.desk import CaseDesk

router = admin_router()


@router.post(
    "/risk/cases/{case_id}/claim", response_model=CaseObject, name="risk_case.claimed", summary="Claim a risk case"
)
async def post_claim(request: Request, case_id: CaseId, wanted: ClaimRequest) -> Response:
    """Work on it alone, until the claim runs out; claim it again to hold it longer.

    Where somebody else holds it, 409 `case_claimed`: name them in `take_over_from` to take it over.
    """
    case = await _desk(request).claim(case_id, wanted.by, wanted.take_over_from)
    return _answer(request, case, by=wanted.by, **({"from": wanted.take_over_from} if wanted.take_over_from else {}))


@router.post(
    "/risk/cases/{case_id}/release", response_model=CaseObject, name="risk_case.released", summary="Release a risk case"
)
async def post_release(request: Request, case_id: CaseId, wanted: ReleaseRequest) -> Response:
    """Give it back to the queue."""
    return _answer(request, await _desk(request).release(case_id, wanted.by), by=wanted.by)


@router.post(
    "/risk/cases/{case_id}/notes", response_model=CaseObject, name="risk_case.noted", summary="Note something on a case"
)
async def post_note(request: Request, case_id: CaseId, wanted: NoteRequest) -> Response:
    """Anybody can, whoever holds it, and once it is decided too."""
    return _answer(request, await _desk(request).note(case_id, wanted.by, wanted.note), by=wanted.by)


@router.post(
    "/risk/cases/{case_id}/verdict", response_model=CaseObject, name="risk_case.decided", summary="Decide a risk case"
)
async def post_verdict(request: Request, case_id: CaseId, wanted: CaseVerdictRequest) -> Response:
    """Close it as `good` or `fraud`: that is the payment's label from then on, and feeds velocities and back-tests.

    `block`, `watch` and `allow` put values of the payment on those lists. One transaction has it all. No money moves: a
    refund is asked for at `/v1/refunds`.
    """
    listing = Listing({"block": wanted.block, "watch": wanted.watch, "allow": wanted.allow}, wanted.expires_in_days)
    desk = _desk(request)
    held = await desk.hold(case_id)
    if wanted.base_version not in {None, held.version}:
        raise Conflict("case_changed", f"The case is at version {held.version} by now.", param="base_version")
    case, _ = await desk.decide(case_id, wanted.by, wanted.verdict, wanted.note, listing.told())
    if listing:
        reason = f"{wanted.verdict}: {case.id}"
        await list_values(services_of(request), transaction_of(request), case, listing, by=wanted.by, reason=reason)
    RISK_CASE_VERDICTS.labels(case.kind, wanted.verdict).inc()
    RISK_CASE_SECONDS.labels(case.kind).observe((case.read_at - held.since).total_seconds())
    return _answer(request, case, by=wanted.by, verdict=wanted.verdict, **listing.told())


@router.post(
    "/risk/cases/{case_id}/reopen", response_model=CaseObject, name="risk_case.reopened", summary="Reopen a risk case"
)
async def post_reopen(request: Request, case_id: CaseId, wanted: NoteRequest) -> Response:
    """Something new came to light: it waits for a verdict again. Its label stands until then."""
    return _answer(request, await _desk(request).reopen(case_id, wanted.by, wanted.note), by=wanted.by)


def _desk(request: Request) -> CaseDesk:
    return CaseDesk(transaction_of(request), services_of(request).vault)


def _answer(request: Request, case: Case, **told: Any) -> Response:
    """The case as it stands, told to the audit trail; what people wrote stands with the case alone."""
    tell(request, case.id, {"payment_id": case.payment_id, **told})
    return json_answer(200, case_json(case)).to_response()
