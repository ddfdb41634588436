"""Complaints (投诉) under /admin/v1: taken once each, with a case that has all the evidence."""

from __future__ import annotations

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.risk.cases.views import complaint_json
from gateway.admin.risk.complaint_schemas import ComplaintObject, ComplaintRequest
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.metrics import RISK_COMPLAINTS
from gateway.trail.recording import tell, tell_nothing
from risk.cases.case import Evidence, NewComplaint
from risk.cases.complaints import complain

router = admin_router()


@router.post(
    "/risk/complaints",
    status_code=201,
    response_model=ComplaintObject,
    name="risk_complaint.taken",
    summary="Take a complaint",
)
async def post_complaint(request: Request, wanted: ComplaintRequest) -> Response:
    """It opens a case, joins the payment's open one, or opens a decided one again: `case_id` says which.

    The same `channel_complaint_id` of a channel with the same content is taken once, however often it is sent; with
    another content it is refused (`complaint_reused`).
    """
    evidence = tuple(Evidence(**each.model_dump()) for each in wanted.evidence)
    new = NewComplaint(
        wanted.payment_id,
        wanted.reason,
        wanted.channel,
        wanted.channel_complaint_id,
        wanted.text,
        wanted.by,
        evidence,
    )
    taken = await complain(transaction_of(request), services_of(request).vault, new)
    complaint = taken.complaint
    if taken.is_new:
        RISK_COMPLAINTS.labels(complaint.channel).inc()
        told = {"case_id": complaint.case_id, "payment_id": complaint.payment_id, "channel": complaint.channel}
        tell(request, complaint.id, {**told, "reason": complaint.reason, "by": complaint.by})
    else:
        tell_nothing(request)
    return json_answer(201, complaint_json(complaint)).to_response()
