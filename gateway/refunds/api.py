"""The endpoints of refunds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError

from gateway.http import preferences
from gateway.http.answers import invalid_body, json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated
from gateway.http.services import services_of
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import not_found
from gateway.merchants.store import Scope
from gateway.payments.schemas import ORDER_NO_PATTERN, PAYMENT_ID_PATTERN, Moment
from gateway.refunds.refund import Refund, RefundOrder, RefundStatus
from gateway.refunds.schemas import REFUND_ID_PATTERN, RefundList, RefundObject, RefundRequest
from gateway.refunds.store import ListFilter

_REPLAYED: Final = ((b"idempotent-replayed", b"true"),)

router = APIRouter(prefix="/v1/refunds", tags=["refunds"], dependencies=[Depends(no_unknown_parameters)])

RefundId = Annotated[str, Path(pattern=REFUND_ID_PATTERN, examples=["ref_01JD60A1B2M0Q9C6R1T2X4Y7KC"])]


@router.post(
    "",
    status_code=201,
    response_model=RefundObject,
    summary="Refund a payment",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RefundRequest"}}},
        }
    },
)
async def post_refund(
    request: Request,
    prefer: Annotated[
        str | None, Header(description="`wait=N`: answer within N seconds (default 10, at most 30).")
    ] = None,
    idempotency_key: Annotated[str | None, Header(description="1 to 255 visible ASCII characters.")] = None,
) -> Response:
    """Give back all of a payment's goods value, or a part of it.

    Answers 201 with the refund whatever its status: `pending` where the channel has not carried it out yet, or takes
    the next refund of this payment only later (it goes out by itself); `failed` with a `failure` where it refused.
    The same request again gives the same refund (`Idempotent-Replayed: true`); another request under the same number
    is a conflict that names the field.  Refunds go through the channel account that took the payment.
    """
    services = services_of(request)
    holder = await authenticated(request, Scope.REFUND)
    deadline = Deadline.after(preferences.wait_s(services.settings, prefer))
    try:
        wanted = RefundRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_body(error) from None
    key = preferences.idempotency_key(idempotency_key)
    answered = await services.refunds.take(RefundOrder(holder.merchant.id, wanted, key), deadline)
    return json_answer(201, answered.refund.to_json(), _REPLAYED if answered.replayed else ()).to_response()


@router.get("/{refund_id}", response_model=RefundObject, summary="Read a refund")
async def get_refund(request: Request, refund_id: RefundId) -> Response:
    """A refund by its id."""
    holder = await authenticated(request, Scope.READ)
    refund = await services_of(request).refunds.store.find(holder.merchant.id, refund_id)
    if refund is None:
        raise not_found("refund")
    return json_answer(200, refund.to_json()).to_response()


@router.get("", response_model=RefundList, summary="List refunds")
async def list_refunds(
    request: Request,
    *,
    payment_id: Annotated[str | None, Query(pattern=PAYMENT_ID_PATTERN)] = None,
    merchant_refund_no: Annotated[str | None, Query(pattern=ORDER_NO_PATTERN)] = None,
    status: RefundStatus | None = None,
    created_from: Moment | None = None,
    created_to: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Query(pattern=REFUND_ID_PATTERN)] = None,
) -> Response:
    """A merchant's refunds, newest first."""
    holder = await authenticated(request, Scope.READ)
    wanted = ListFilter(payment_id, merchant_refund_no, status, created_from, created_to)
    refunds = await services_of(request).refunds.store.list(holder.merchant.id, wanted, limit + 1, starting_after)
    return json_answer(200, _page(refunds, limit)).to_response()


def _page(refunds: Sequence[Refund], limit: int) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [refund.to_json() for refund in refunds[:limit]],
        "has_more": len(refunds) > limit,
    }
