"""What waits for a person, under /admin/v1: shown with what the channel says, and settled by verdicts."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.admin.reviews.schemas import (
    AfterReviewId,
    Refresh,
    ReviewId,
    ReviewList,
    ReviewObject,
    VerdictObject,
    VerdictRequest,
)
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import InvalidRequest
from gateway.reviews.desk import Decision, ReviewDesk, Shown
from gateway.reviews.reading import GivenVerdict
from gateway.reviews.review import Kind
from gateway.trail.recording import tell

_REFRESHED_MAX: Final = 20

router = admin_router()


@router.get("/reviews", response_model=ReviewList, summary="List what is in review")
async def get_reviews(
    request: Request,
    *,
    kind: Kind | None = None,
    refresh: Refresh = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: AfterReviewId = None,
) -> Response:
    """Payments, refunds, late captures and callbacks that only a person can decide about."""
    if refresh and limit > _REFRESHED_MAX:
        raise InvalidRequest("invalid_field", f"“limit” is at most {_REFRESHED_MAX} with refresh.", param="limit")
    page, has_more = await _desk(request).page(kind, limit, starting_after, refresh=refresh)
    data = [_review_json(each) for each in page]
    return json_answer(200, {"object": "list", "data": data, "has_more": has_more}).to_response()


@router.get("/reviews/{review_id}", response_model=ReviewObject, summary="Read what is in review")
async def get_review(request: Request, review_id: ReviewId, *, refresh: Refresh = False) -> Response:
    """One of them, with the verdicts that were given on it before."""
    return json_answer(200, _review_json(await _desk(request).get(review_id, refresh=refresh))).to_response()


@router.post(
    "/reviews/{review_id}/settle", response_model=VerdictObject, name="review.settled", summary="Settle a review"
)
async def post_verdict(request: Request, review_id: ReviewId, wanted: VerdictRequest) -> Response:
    """Carry a verdict out, with its event, in one transaction.

    A verdict that could lose money, by what the channel says now, is refused (`verdict_refused`); the message says what
    to do instead.
    """
    given = await _desk(request).settle(review_id, Decision(wanted.verdict, wanted.by, wanted.note))
    tell(request, given.review_id, _verdict_told(given))
    return json_answer(200, _verdict_json(given)).to_response()


def _desk(request: Request) -> ReviewDesk:
    return ReviewDesk(services_of(request), database_of(request))


def _verdict_told(given: GivenVerdict) -> dict[str, Any]:
    """For the audit trail: the note may hold anything, and stands with the verdict alone."""
    told = {"verdict_id": given.id, "kind": given.kind, "reason": given.reason}
    return told | {"verdict": given.verdict, "by": given.decided_by, "payment_id": given.payment_id}


def _review_json(shown: Shown) -> dict[str, Any]:
    """ReviewObject."""
    review = shown.review
    return {
        "id": review.id,
        "object": "review",
        "kind": review.kind,
        "reason": review.reason,
        "since": rfc3339(review.since),
        "merchant_id": review.merchant_id,
        "payment_id": review.payment_id,
        "refund_id": review.refund_id,
        "channel": review.account_id,
        "order_no": review.order_no,
        "refund_no": review.refund_no,
        "status": review.status,
        "amount": review.amount,
        "expected": review.expected,
        "told": None if review.told is None else review.told._asdict(),
        "channel_says": None if shown.said is None else shown.said.to_json(),
        "verdicts": review.verdicts,
        "history": [_verdict_json(given) for given in shown.history],
    }


def _verdict_json(given: GivenVerdict) -> dict[str, Any]:
    """VerdictObject."""
    return {
        "id": given.id,
        "object": "review_verdict",
        "review_id": given.review_id,
        "kind": given.kind,
        "payment_id": given.payment_id,
        "refund_id": given.refund_id,
        "reason": given.reason,
        "verdict": given.verdict,
        "by": given.decided_by,
        "note": given.note,
        "channel_says": given.channel_said,
        "at": rfc3339(given.at),
    }
