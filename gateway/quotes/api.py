"""The endpoint of quotes."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from gateway.http.answers import invalid_body, json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated
from gateway.http.services import services_of
from gateway.kernel.errors import NotPermitted
from gateway.merchants.store import KeyHolder, Scope
from gateway.quotes.schemas import QuoteObject, QuoteRequest

router = APIRouter(prefix="/v1/quotes", tags=["quotes"], dependencies=[Depends(no_unknown_parameters)])


@router.post(
    "",
    response_model=QuoteObject,
    summary="Quote a payment",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/QuoteRequest"}}},
        }
    },
)
async def post_quote(request: Request) -> Response:
    """What this customer would pay now: the discounts that would apply, and of each campaign considered why or why not.

    Nothing is stored, and nothing is taken from a budget: another customer can have it before.  A till that must charge
    the quoted price, or nothing, sends it as the payment's `expected_payable`.  A key needs the scope `pay` or `read`.
    """
    holder = await _holder(request)
    try:
        wanted = QuoteRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_body(error) from None
    quote = await services_of(request).quoting.quote(holder.merchant, wanted)
    return json_answer(200, quote.to_json()).to_response()


async def _holder(request: Request) -> KeyHolder:
    """Whoever may read, or pay.  A signature's nonce is spent by neither refusal."""
    try:
        return await authenticated(request, Scope.READ)
    except NotPermitted:
        return await authenticated(request, Scope.PAY)
