"""The endpoints of receipts: `GET /v1/payments/{id}/receipt` for the till, `GET /r/{token}` for the customer."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from gateway.http.answers import json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated
from gateway.http.pages import language_of, wants_page
from gateway.http.rate_limits import Limit, client_address
from gateway.http.services import services_of
from gateway.kernel.errors import Conflict, not_found
from gateway.merchants.store import Scope
from gateway.payments.api import PaymentId
from gateway.receipts.page import missing_page, receipt_page
from gateway.receipts.schemas import ReceiptObject

router = APIRouter(tags=["receipts"])

_LOOKS: Final = Limit("receipt_looks", 120, 60.0)
"""Of one address."""
_PAGE: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}


@router.get(
    "/v1/payments/{payment_id}/receipt",
    response_model=ReceiptObject,
    summary="A payment's receipt",
    responses={200: {"content": {"text/html": {}}}},
    dependencies=[Depends(no_unknown_parameters)],
)
async def get_receipt(
    request: Request,
    payment_id: PaymentId,
    format: Annotated[  # noqa: A002  the parameter's name in the API
        Literal["json", "html"] | None, Query(description="JSON by default, a page for a browser.")
    ] = None,
) -> Response:
    """The electronic receipt (电子凭证) of a payment that was taken, refunds and reversal included.

    Discounts are shown as the merchant wants: by funder, as a total, or not at all.
    """
    services = services_of(request)
    holder = await authenticated(request, Scope.READ)
    payment = await services.store.find(holder.merchant.id, payment_id)
    if payment is None:
        raise not_found("payment")
    receipt = await services.receipts.of_payment(payment)
    if receipt is None:
        raise Conflict("no_receipt", f"Nothing was paid: the payment is {payment.status}.")
    if format == "html" or (format is None and wants_page(request.headers.get("accept"))):
        return receipt_page(receipt, language_of(request.headers.get("accept-language")))
    return json_answer(200, receipt.to_json()).to_response()


@router.get(
    "/r/{token}",
    summary="A receipt for the customer",
    response_class=Response,
    responses={
        200: {"description": "The receipt as a page.", **_PAGE},
        404: {"description": "There is none: a page says so.", **_PAGE},
    },
)
async def get_public_receipt(
    request: Request, token: Annotated[str, Path(examples=["01JD5ZV8W3M0Q9C6R1T2X4Y7KBMZXW6YTBOI2GK3DF"])]
) -> Response:
    """The page behind `receipt_url`; no key is needed, and nothing can be guessed.  404 is a page too."""
    services = services_of(request)
    await services.rate_limits.admit(_LOOKS, client_address(request, services.settings.trusted_proxies))
    language = language_of(request.headers.get("accept-language"))
    receipt = await services.receipts.by_token(token)
    return missing_page(language) if receipt is None else receipt_page(receipt, language)
