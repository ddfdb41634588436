"""The endpoints of payments.  `POST /v1/payments` is reached directly by the edge; the route here documents it."""

from __future__ import annotations

import logging
import time
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError

from gateway.http.answers import Answer, Call, invalid_body, json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated, authenticated_call, has_admin_token
from gateway.http.preferences import idempotency_key, wait_s
from gateway.http.services import Services, services_of
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import not_found
from gateway.kernel.ids import same_ulid
from gateway.kernel.logs import log_event
from gateway.kernel.metrics import PAYMENT_OWN_SECONDS, PAYMENT_SECONDS, PAYMENTS, PAYMENTS_REPLAYED
from gateway.kernel.recording import Fact, Recording, current_recording
from gateway.merchants.store import Scope
from gateway.payments import cancel as cancelling
from gateway.payments.desk import Answered
from gateway.payments.detail import detail_of
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.refreshing import refreshed
from gateway.payments.schemas import (
    ORDER_NO_PATTERN,
    PAYMENT_ID_PATTERN,
    Moment,
    PaymentList,
    PaymentObject,
    PaymentRequest,
    Text,
)
from gateway.payments.states import Status
from gateway.payments.store import ListFilter
from routing.channels.base import Wallet

_log = logging.getLogger("mashang.payments")
_REPLAYED: Final = ((b"idempotent-replayed", b"true"),)
"""Of one payment: tills may poll as often as they like, the channel is asked once a second."""

router = APIRouter(prefix="/v1/payments", tags=["payments"], dependencies=[Depends(no_unknown_parameters)])

PaymentId = Annotated[str, Path(pattern=PAYMENT_ID_PATTERN, examples=["pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"])]
Prefer = Annotated[str | None, Header(description="`wait=N`: answer within N seconds (default 10, at most 30).")]


async def take(services: Services, call: Call) -> Answer:
    """Take a payment: authenticate, validate, hand to the desk, answer 201 with the payment whatever its status."""
    began = time.monotonic()
    holder = await authenticated_call(services, call, Scope.PAY)
    if call.ticket is not None:
        call.ticket.identify(holder.merchant)
    deadline = Deadline(began + wait_s(services.settings, call.header(b"prefer")))
    try:
        request = PaymentRequest.model_validate_json(call.body)
    except ValidationError as error:
        raise invalid_body(error) from None
    if request.notify_url is not None:
        services.webhooks.check_address(request.notify_url, "notify_url")
    key = idempotency_key(call.header(b"idempotency-key"))
    merchant = holder.merchant
    order = PaymentOrder.of(merchant.id, merchant.name, request, key, services.vault, timezone=merchant.timezone)
    answered = await services.desk.take(order, deadline, call.ticket, same_ulid("pay", call.request_id))
    _observe(answered, call.request_id, time.monotonic() - began)
    return json_answer(201, answered.payment.to_json(), _REPLAYED if answered.replayed else ())


@router.post(
    "",
    status_code=201,
    response_model=PaymentObject,
    summary="Take a payment",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PaymentRequest"}}},
        }
    },
)
async def post_payment(
    request: Request,
    prefer: Prefer = None,  # noqa: ARG001  documented here, read from the call
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,  # noqa: ARG001
) -> Response:
    """Take a payment by the code that the till scanned (`barcode`), or get a code to show (`qrcode`).

    Answers 201 with the payment whatever its status: one that the wallet or the risk check declines is no HTTP error.
    A code to show has the status `requires_action` and stands in `qr_code`; without a `wallet` any wallet can pay it.
    The same request again gives the same payment (`Idempotent-Replayed: true`); another request under the same number
    is a conflict that names the field.
    """
    scope = request.scope
    call = Call(
        dict(scope["headers"]),
        await request.body(),
        scope["mashang.request_id"],
        scope["method"],
        scope["raw_path"],
        scope["query_string"],
    )
    return (await take(services_of(request), call)).to_response()


@router.get(
    "/{payment_id}",
    response_model=PaymentObject,
    summary="Read a payment",
    responses={200: {"description": "With the admin token, as `GET /admin/v1/payments/{payment_id}` shows it."}},
)
async def get_payment(
    request: Request,
    payment_id: PaymentId,
    refresh: Annotated[
        bool, Query(description="Ask the channel first where the payment is unresolved, at most once a second.")
    ] = False,
) -> Response:
    """A payment by its id."""
    services = services_of(request)
    if has_admin_token(request):
        return json_answer(200, await detail_of(services, payment_id)).to_response()
    holder = await authenticated(request, Scope.READ)
    payment = await services.store.find(holder.merchant.id, payment_id)
    if payment is None:
        raise not_found("payment")
    if refresh:
        payment = await refreshed(services, payment)
    return json_answer(200, payment.to_json()).to_response()


@router.get("", response_model=PaymentList, summary="List payments")
async def list_payments(
    request: Request,
    *,
    merchant_order_no: Annotated[str | None, Query(pattern=ORDER_NO_PATTERN)] = None,
    status: Status | None = None,
    created_from: Moment | None = None,
    created_to: Moment | None = None,
    store_id: Annotated[Text | None, Query(max_length=32)] = None,
    terminal_id: Annotated[Text | None, Query(max_length=32)] = None,
    operator_id: Annotated[Text | None, Query(max_length=32)] = None,
    method: Literal["barcode", "qrcode"] | None = None,
    wallet: Wallet | None = None,
    reversal: Literal["pending", "succeeded", "failed"] | None = None,
    review: Annotated[bool | None, Query(description="Whether a person has to look at it.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Query(pattern=PAYMENT_ID_PATTERN)] = None,
) -> Response:
    """A merchant's payments, newest first; by `merchant_order_no` the one with that number."""
    services = services_of(request)
    holder = await authenticated(request, Scope.READ)
    if merchant_order_no is not None:
        found = await services.store.find_by_order_no(holder.merchant.id, merchant_order_no)
        return json_answer(200, _page([] if found is None else [found], len([found]))).to_response()
    wanted = ListFilter(
        status=status,
        created_from=created_from,
        created_to=created_to,
        store_id=store_id,
        terminal_id=terminal_id,
        operator_id=operator_id,
        method=method,
        wallet=wallet,
        reversal=reversal,
        in_review=review,
    )
    payments = list(await services.store.list(holder.merchant.id, wanted, limit + 1, starting_after))
    return json_answer(200, _page(payments, limit)).to_response()


@router.post("/{payment_id}/cancel", response_model=PaymentObject, summary="Cancel a payment")
async def post_cancel(request: Request, payment_id: PaymentId, prefer: Prefer = None) -> Response:
    """Close a code, reverse a payment whose outcome is unknown, or void one of the same channel day.

    `reversal` shows how it goes; `status` becomes `closed` or `reversed` only once the channel has confirmed it.  A
    code whose channel has no call to close it can be paid until `expires_at`; money that comes then goes back.
    """
    services = services_of(request)
    holder = await authenticated(request, Scope.PAY)
    deadline = Deadline.after(wait_s(services.settings, prefer))
    payment = await cancelling.cancel(services.store, holder.merchant.id, payment_id, deadline)
    return json_answer(200, payment.to_json()).to_response()


def _page(payments: list[Payment], limit: int) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [payment.to_json() for payment in payments[:limit]],
        "has_more": len(payments) > limit,
    }


def _observe(answered: Answered, request_id: str, seconds: float) -> None:
    payment, wallet = answered.payment, answered.payment.wallet or "none"
    if answered.replayed:
        PAYMENTS_REPLAYED.labels().inc()
    else:
        PAYMENTS.labels(payment.status, wallet).inc()
        PAYMENT_SECONDS.labels(wallet).observe(seconds)
        PAYMENT_OWN_SECONDS.labels().observe(max(0.0, seconds - answered.channel_s))
    told = {
        "request_id": request_id,
        "payment_id": payment.id,
        "status": payment.status,
        "wallet": wallet,
        "channel": payment.account_id,
        "amount": payment.amount.amount_fen,
        "failure": payment.failure,
        "replayed": answered.replayed,
        "ms": round(seconds * 1000, 1),
    }
    recording = current_recording()
    if recording is not None:
        _trace(recording, answered)
        told["trace_id"] = recording.trace_id_hex
    log_event(_log, "payment", told)


def _trace(recording: Recording, answered: Answered) -> None:
    """What is told of a payment in its request's span."""
    payment, recording.answered_from_s = answered.payment, time.monotonic()
    recording.facts |= {
        Fact.PAYMENT_ID: payment.id,
        Fact.STATUS: payment.status,
        Fact.WALLET: payment.wallet or "none",
        Fact.METHOD: payment.method,
        Fact.CAMPAIGNS: len(payment.promotions),
        Fact.REPLAYED: answered.replayed,
    }
    if payment.account_id is not None:
        recording.facts[Fact.ACCOUNT] = payment.account_id
    if payment.failure is not None:
        recording.facts[Fact.FAILURE] = payment.failure
