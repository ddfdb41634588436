"""The endpoints of codes: `/v1/codes` for the merchant, and the images and the card behind `/q/{token}` for anybody."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError

from gateway.codes import images
from gateway.codes.card import card_page
from gateway.codes.code import addresses
from gateway.codes.schemas import CODE_ID_PATTERN, CodeList, CodeObject, CodeRequest
from gateway.codes.store import CodeStore
from gateway.codes.targets import Target, find_target
from gateway.codes.tokens import payment_token
from gateway.http.answers import invalid_body, json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated
from gateway.http.pages import language_of
from gateway.http.rate_limits import Limit, client_address
from gateway.http.services import Services, services_of
from gateway.kernel.clock import Deadline, rfc3339
from gateway.kernel.errors import not_found
from gateway.merchants.store import Scope
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.schemas import PaymentRequest, Text
from gateway.payments.states import Status

router = APIRouter(tags=["codes"], dependencies=[Depends(no_unknown_parameters)])

SCANNED_PATTERN: Final = r"^[0-9A-Za-z_-]{20,64}$"
LOOKS: Final = Limit("code_looks", 120, 60.0)
"""Of one address: the images and the page of a code cost little, but are there for anybody."""
_IMAGE_AGE_S: Final = 300

CodeId = Annotated[str, Path(pattern=CODE_ID_PATTERN, examples=["cod_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"])]
Token = Annotated[str, Path(pattern=SCANNED_PATTERN)]


@router.post("/v1/codes", status_code=201, response_model=CodeObject, summary="Make a code that any wallet can pay")
async def post_code(
    request: Request,
    wanted: CodeRequest,
    idempotency_key: Annotated[str | None, Header(max_length=255, pattern=r"^[\x21-\x7e]+$")] = None,
) -> Response:
    """A static code (each scan is a payment of its own), or a code for one payment, which is made with it.

    For one payment the rules of `POST /v1/payments` hold: the same request gives the same payment and code.
    """
    services = services_of(request)
    holder = await authenticated(request, Scope.PAY)
    if wanted.is_static:
        code = await CodeStore(services.pool).add(holder.merchant.id, holder.merchant.name, wanted)
        return json_answer(201, code.to_json(services.settings.public_url)).to_response()
    order = PaymentOrder.of(
        holder.merchant.id, holder.merchant.name, _payment_request(wanted), idempotency_key, services.vault
    )
    answered = await services.desk.take(order, Deadline(time.monotonic() + services.settings.wait_default_s))
    headers = ((b"idempotent-replayed", b"true"),) if answered.replayed else ()
    body = _code_of_payment(services, answered.payment, wanted, holder.merchant.name)
    return json_answer(201, body, headers).to_response()


@router.get("/v1/codes", response_model=CodeList, summary="List static codes")
async def list_codes(
    request: Request,
    *,
    status: Literal["active", "revoked"] | None = None,
    store_id: Annotated[Text | None, Query(max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Query(pattern=CODE_ID_PATTERN)] = None,
) -> Response:
    """A merchant's static codes, newest first."""
    services = services_of(request)
    holder = await authenticated(request, Scope.READ)
    found = await CodeStore(services.pool).list(
        holder.merchant.id, status=status, store_id=store_id, limit=limit + 1, starting_after=starting_after
    )
    public_url = services.settings.public_url
    page = {
        "object": "list",
        "data": [code.to_json(public_url) for code in found[:limit]],
        "has_more": len(found) > limit,
    }
    return json_answer(200, page).to_response()


@router.get("/v1/codes/{code_id}", response_model=CodeObject, summary="Read a static code")
async def get_code(request: Request, code_id: CodeId) -> Response:
    """A static code by its id."""
    services = services_of(request)
    holder = await authenticated(request, Scope.READ)
    code = await CodeStore(services.pool).find(holder.merchant.id, code_id)
    if code is None:
        raise not_found("code", "code_id")
    return json_answer(200, code.to_json(services.settings.public_url)).to_response()


@router.post("/v1/codes/{code_id}/revoke", response_model=CodeObject, summary="Revoke a static code")
async def post_revoke(request: Request, code_id: CodeId) -> Response:
    """Take a code out of use for ever; whoever scans it is told so.  A payment that is under way goes on."""
    services = services_of(request)
    holder = await authenticated(request, Scope.PAY)
    code = await CodeStore(services.pool).revoke(holder.merchant.id, code_id)
    if code is None:
        raise not_found("code", "code_id")
    return json_answer(200, code.to_json(services.settings.public_url)).to_response()


@router.get("/q/{token}/code.{kind}", summary="The image of a code", response_class=Response)
async def get_image(
    request: Request,
    token: Token,
    kind: Literal["svg", "png"],
    scale: Annotated[int, Query(ge=1, le=images.SCALE_MAX, description="Pixels a module.")] = 8,
) -> Response:
    """The code as an image; no key is needed, for the code is there to be seen."""
    content = (await looked_up(request, token)).url
    drawn, media_type = (
        (images.svg(content, scale), "image/svg+xml") if kind == "svg" else (images.png(content, scale), "image/png")
    )
    return Response(drawn, media_type=media_type, headers={"Cache-Control": f"public, max-age={_IMAGE_AGE_S}"})


@router.get("/q/{token}/card", summary="The code as a card to print", response_class=Response)
async def get_card(request: Request, token: Token) -> Response:
    """One page with the code, the shop's name and the wallets that take it."""
    found = await looked_up(request, token)
    language = language_of(request.headers.get("accept-language"))
    return card_page(language, found.title, found.url, found.amount_fen)


async def looked_up(request: Request, token: str) -> Target:
    """What the token leads to.  Raises the 404 for one that was not made here, RateLimited for who asks too often."""
    services = services_of(request)
    await services.rate_limits.admit(LOOKS, client_address(request, services.settings.trusted_proxies))
    return await find_target(services, token)


def _payment_request(wanted: CodeRequest) -> PaymentRequest:
    fields = wanted.model_dump(exclude_none=True, exclude={"type", "name"})
    try:
        return PaymentRequest.model_validate_json(orjson.dumps({**fields, "method": "qrcode"}))
    except ValidationError as error:
        raise invalid_body(error) from None


def _code_of_payment(services: Services, payment: Payment, wanted: CodeRequest, merchant_name: str) -> dict[str, Any]:
    token = payment_token(services.vault, payment.id)
    return {
        "id": f"cod_{payment.id.removeprefix('pay_')}",
        "object": "code",
        "type": "payment",
        "status": _status_of(payment),
        "name": wanted.name or merchant_name,
        "amount": payment.payable.amount_fen,
        "currency": payment.amount.currency,
        "description": wanted.description,
        "store_id": payment.store_id,
        "terminal_id": payment.terminal_id,
        "operator_id": payment.operator_id,
        "metadata": payment.metadata,
        "payment_id": payment.id,
        **addresses(services.settings.public_url, token),
        "created_at": rfc3339(payment.created_at),
        "revoked_at": None,
    }


def _status_of(payment: Payment) -> str:
    if payment.status is Status.REQUIRES_ACTION:
        return "active"
    return "paid" if payment.status is Status.SUCCEEDED else "over"
