"""Labels under /admin/v1: what became known of payments, one by one or many at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.once import database_of
from gateway.admin.risk.cases.views import label_json
from gateway.admin.risk.label_schemas import (
    Before,
    LabelList,
    LabelObject,
    LabelRequest,
    LabelResults,
    LabelsRequest,
    OfPayment,
)
from gateway.http.answers import json_answer
from gateway.kernel.errors import InvalidRequest, not_found
from gateway.kernel.metrics import RISK_LABELS
from gateway.trail.recording import tell, tell_nothing
from risk.labels.label import Label, NewLabel
from risk.labels.recording import Recorded, Result, record
from risk.labels.store import newest_labels

router = admin_router()


@router.post(
    "/risk/labels", status_code=201, response_model=LabelObject, name="risk_label.added", summary="Label a payment"
)
async def post_label(request: Request, wanted: LabelRequest) -> Response:
    """Say whether it was fraud. The newest label stands; one that says what the standing one says adds nothing.

    Velocities count a payment as fraud once, from `known_at` on.
    """
    connection = transaction_of(request)
    [recorded] = await record(connection, [_new(wanted)])
    match recorded.result:
        case Result.NO_PAYMENT:
            raise not_found("payment", "payment_id")
        case Result.BAD_TIME:
            raise InvalidRequest(
                "invalid_field", "“known_at” lies before the payment, or in the future.", param="known_at"
            )
        case Result.UNCHANGED:
            tell_nothing(request)
            label = await _standing(request, wanted.payment_id)
        case Result.ADDED:
            assert recorded.label is not None
            label = recorded.label
            tell(request, label.payment_id, {"fraud": label.fraud, "source": label.source, "by": label.by})
            _count([recorded])
    return json_answer(201, label_json(label)).to_response()


@router.post(
    "/risk/labels/bulk", response_model=LabelResults, name="risk_label.imported", summary="Label many payments"
)
async def post_labels(request: Request, wanted: LabelsRequest) -> Response:
    """Up to 1,000, each with a result of its own: what is refused does not keep the others from being recorded."""
    recorded = await record(transaction_of(request), [_new(each) for each in wanted.labels])
    _count(recorded)
    results = Counter(each.result for each in recorded)
    counts = {
        "added": results[Result.ADDED],
        "unchanged": results[Result.UNCHANGED],
        "refused": results[Result.NO_PAYMENT] + results[Result.BAD_TIME],
    }
    if results[Result.ADDED]:
        tell(request, "risk_labels", counts)
    else:
        tell_nothing(request)
    rows = [{"payment_id": each.payment_id, "result": each.result} for each in recorded]
    return json_answer(200, {"object": "risk_label_results", **counts, "results": rows}).to_response()


@router.get("/risk/labels", response_model=LabelList, summary="List labels")
async def get_labels(
    request: Request,
    *,
    payment_id: OfPayment = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Before = None,
) -> Response:
    """The newest first: of a payment's labels the first one stands."""
    found = await newest_labels(database_of(request), limit + 1, before, payment_id)
    data = [label_json(label) for label in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


async def _standing(request: Request, payment_id: str) -> Label:
    [label] = await newest_labels(database_of(request), 1, payment_id=payment_id)
    return label


def _new(wanted: LabelRequest) -> NewLabel:
    """Whose payment it is, is looked up."""
    return NewLabel(wanted.payment_id, "", wanted.fraud, wanted.source, wanted.by, wanted.note, wanted.known_at)


def _count(recorded: Sequence[Recorded]) -> None:
    for each in recorded:
        if each.label is not None:
            RISK_LABELS.labels(each.label.source, "fraud" if each.label.fraud else "good").inc()
