"""The endpoints of codes: `/v1/codes` for the merchant, and the images and the card behind `/q/{token}` for anybody."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError

from gateway.codes.card import card_page
from gateway.codes.code import addresses, code_of_payment, payment_id_of
from gateway.codes.images import IMAGE_TYPES, SCALE_MAX, ImageKind, image_answer
from gateway.codes.pages import CustomerRoute
from gateway.codes.schemas import CODE_ID_PATTERN, CodeList, CodeObject, CodeRequest
from gateway.codes.store import CodeKey, CodeStore
from gateway.codes.targets import Target, find_target, wallets_of
from gateway.codes.tokens import payment_token
from gateway.http import preferences
from gateway.http.admission import ticket_of
from gateway.http.answers import invalid_body, json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated
from gateway.http.pages import language_of
from gateway.http.rate_limits import Limit, client_address
from gateway.http.services import Services, services_of
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Conflict, not_found
from gateway.kernel.ids import same_ulid
from gateway.merchants.store import KeyHolder, Scope
from gateway.payments.api import PaymentId
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.schemas import PaymentRequest, Text
from gateway.payments.states import Status

router = APIRouter(tags=["codes"], dependencies=[Depends(no_unknown_parameters)])
_pages = APIRouter(route_class=CustomerRoute, dependencies=[Depends(no_unknown_parameters)])

SCANNED_PATTERN: Final = r"^[0-9A-Za-z_-]{20,64}$"
_LOOKS: Final = Limit("code_looks", 240, 60.0)
"""Of one address: the images and the card of a code cost little, but are there for anybody."""
_IMAGE_CACHE: Final = "public, max-age=300"
_REPLAYED: Final = ((b"idempotent-replayed", b"true"),)

CodeId = Annotated[str, Path(pattern=CODE_ID_PATTERN, examples=["cod_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"])]
Token = Annotated[str, Path(pattern=SCANNED_PATTERN, examples=["sYp3s6v9y8x2z5C8F4J7nZq"])]
Scale = Annotated[int, Query(ge=1, le=SCALE_MAX, description="Pixels a module.")]
_IMAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The image.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in IMAGE_TYPES.values()},
    }
}


@router.post("/v1/codes", status_code=201, response_model=CodeObject, summary="Make a code that any wallet can pay")
async def post_code(
    request: Request, wanted: CodeRequest, idempotency_key: Annotated[str | None, Header(max_length=255)] = None
) -> Response:
    """A static code (each scan is a payment of its own), or a code for one payment, which is made with it.

    For one payment the rules of `POST /v1/payments` hold: the same request gives the same payment and code.  A static
    code has no number of the merchant's: with an `Idempotency-Key` the same request gives the same code.
    """
    services = services_of(request)
    holder, ticket = await authenticated(request, Scope.PAY), ticket_of(request.scope)
    if ticket is not None:
        ticket.identify(holder.merchant)
    key = preferences.idempotency_key(idempotency_key)
    if wanted.is_static:
        code, replayed = await CodeStore(services.pool).add(
            holder.merchant.id, holder.merchant.name, wanted, _key_of(services, wanted, key)
        )
        body = code.to_json(services.settings.public_url)
    else:
        merchant, asked = holder.merchant, _payment_request(services, wanted)
        order = PaymentOrder.of(merchant.id, merchant.name, asked, key, services.vault, timezone=merchant.timezone)
        payment_id = same_ulid("pay", request.scope["mashang.request_id"])
        deadline = Deadline.after(services.settings.wait_default_s)
        answered = await services.desk.take(order, deadline, ticket, payment_id)
        replayed = answered.replayed
        body = _code_of(services, answered.payment, holder, wanted.description)
    return json_answer(201, body, _REPLAYED if replayed else ()).to_response()


@router.get("/v1/codes", response_model=CodeList, summary="List static codes")
async def list_codes(
    request: Request,
    *,
    status: Literal["active", "revoked"] | None = None,
    store_id: Annotated[Text | None, Query(max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Query(pattern=CODE_ID_PATTERN)] = None,
) -> Response:
    """A merchant's static codes, newest first.  Codes of one payment are found with their payments."""
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


@router.get("/v1/codes/{code_id}", response_model=CodeObject, summary="Read a code")
async def get_code(request: Request, code_id: CodeId) -> Response:
    """A code by its id, static or of one payment."""
    services = services_of(request)
    holder = await authenticated(request, Scope.READ)
    code = await CodeStore(services.pool).find(holder.merchant.id, code_id)
    if code is not None:
        return json_answer(200, code.to_json(services.settings.public_url)).to_response()
    payment = await _payment_of(services, holder, code_id)
    fields = await services.store.request_fields(payment) or {}
    return json_answer(200, _code_of(services, payment, holder, fields.get("description"))).to_response()


@router.post("/v1/codes/{code_id}/revoke", response_model=CodeObject, summary="Revoke a static code")
async def post_revoke(request: Request, code_id: CodeId) -> Response:
    """Take a code out of use for ever; whoever scans it is told so.  A payment that is under way goes on."""
    services = services_of(request)
    holder = await authenticated(request, Scope.PAY)
    code = await CodeStore(services.pool).revoke(holder.merchant.id, code_id)
    if code is None:
        payment = await _payment_of(services, holder, code_id)
        raise Conflict("code_of_a_payment", f"This is the code of one payment: cancel {payment.id} instead.")
    return json_answer(200, code.to_json(services.settings.public_url)).to_response()


@router.get(
    "/v1/payments/{payment_id}/qr_code.{kind}",
    summary="The code that a payment shows, as an image",
    response_class=Response,
    responses=_IMAGE,
)
async def get_payment_image(request: Request, payment_id: PaymentId, kind: ImageKind, scale: Scale = 8) -> Response:
    """The content of `qr_code` as an SVG or PNG image, while the payment shows one; 409 otherwise."""
    services = services_of(request)
    holder = await authenticated(request, Scope.READ)
    payment = await services.store.find(holder.merchant.id, payment_id)
    if payment is None:
        raise not_found("payment")
    if payment.qr_code is None or payment.status is not Status.REQUIRES_ACTION:
        raise Conflict("nothing_to_show", f"The payment shows no code: it is {payment.status}.")
    return image_answer(payment.qr_code, kind, scale, cache="private, no-store")


@router.get("/q/{token}/code.{kind}", summary="The image of a code", response_class=Response, responses=_IMAGE)
async def get_image(request: Request, token: Token, kind: ImageKind, scale: Scale = 8) -> Response:
    """The code as an image; no key is needed, for the code is there to be seen."""
    return image_answer((await _looked_up(request, token)).url, kind, scale, cache=_IMAGE_CACHE)


@_pages.get("/q/{token}/card", summary="The code as a card to print", response_class=Response)
async def get_card(request: Request, token: Token) -> Response:
    """One page (A6, in Chinese and English) with the code, the shop's name and the wallets that it takes."""
    found = await _looked_up(request, token)
    wallets = wallets_of(services_of(request), found.shop.id)
    return card_page(language_of(request.headers.get("accept-language")), found, wallets)


router.include_router(_pages)


async def _looked_up(request: Request, token: str) -> Target:
    """What the token leads to.  Raises the 404 for one that was not made here, RateLimited for who asks too often."""
    services = services_of(request)
    await services.rate_limits.admit(_LOOKS, client_address(request, services.settings.trusted_proxies))
    target = await find_target(services, token)
    target.require_open_shop()
    return target


def _key_of(services: Services, wanted: CodeRequest, key: str | None) -> CodeKey | None:
    if key is None:
        return None
    canonical = orjson.dumps(wanted.model_dump(), option=orjson.OPT_SORT_KEYS)
    return CodeKey(key, services.vault.keyed_hash(canonical))


def _payment_request(services: Services, wanted: CodeRequest) -> PaymentRequest:
    fields = wanted.model_dump(exclude_none=True, exclude={"type", "name"})
    try:
        made = PaymentRequest.model_validate_json(orjson.dumps({**fields, "method": "qrcode"}))
    except ValidationError as error:
        raise invalid_body(error) from None
    if made.notify_url is not None:
        services.webhooks.check_address(made.notify_url, "notify_url")
    return made


async def _payment_of(services: Services, holder: KeyHolder, code_id: str) -> Payment:
    """The payment that has a code with this id of its own.  Raises the 404."""
    payment = await services.store.find(holder.merchant.id, payment_id_of(code_id))
    if payment is None or not payment.is_aggregated or payment.code_id is not None:
        raise not_found("code", "code_id")
    return payment


def _code_of(services: Services, payment: Payment, holder: KeyHolder, description: str | None) -> dict[str, Any]:
    where = addresses(services.settings.public_url, payment_token(services.vault, payment.id))
    return code_of_payment(payment, holder.merchant.name, description, where)
