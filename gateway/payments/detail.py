"""A payment as operations see it: whose it is, every attempt with why its account was asked, and its refunds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gateway.http.services import Services
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import not_found
from gateway.payments import examples
from gateway.payments.attempt_store import AttemptStore, AttemptView
from gateway.payments.payment import Payment
from gateway.payments.schemas import PaymentObject
from gateway.refunds.schemas import RefundObject
from gateway.refunds.store import refunds_of
from promotions.offer import Reason


class AttemptObject(BaseModel):
    """One order at one channel account."""

    seq: int
    order_no: Annotated[str, Field(description="The number under which the channel knows it.")]
    channel: str
    state: Annotated[str, Field(description="open, captured, refused, unsent, not_created, reversed or closed.")]
    channel_code: Annotated[str | None, Field(description="The channel's, or our transport's, own word.")]
    created_at: datetime
    finished_at: datetime | None
    routing: Annotated[
        dict[str, Any] | None, Field(description="Why this account: candidates, what ruled them out, scores.")
    ]


class ConsideredObject(BaseModel):
    """A campaign that the payment was looked at for, and why it applied or not."""

    campaign_id: str
    name: str
    applied: bool
    reason: Annotated[Reason, Field(description="`docs/campaigns.md` says what each means.")]
    discount: Annotated[int, Field(description="Fen.")]
    detail: Annotated[str | None, Field(description="A sentence for people.")]


class PaymentDetail(PaymentObject):
    """A payment with its merchant, its attempts and refunds, and why each campaign applied or not."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PAYMENT_DETAIL]})

    merchant_id: str
    attempts: list[AttemptObject]
    refunds: Annotated[list[RefundObject], Field(description="In the order in which they were taken.")]
    pricing: Annotated[
        list[ConsideredObject],
        Field(
            description="The campaigns whose condition the payment met, at most 50, the applied ones first. Those of a "
            "payment that was refused at its price (`price_changed`, `discount_exhausted`) took nothing."
        ),
    ]


async def detail_of(services: Services, payment_id: str) -> dict[str, Any]:
    """PaymentDetail, whoever's payment it is.  Raises the 404."""
    payment = await services.store.find_anywhere(payment_id)
    if payment is None:
        raise not_found("payment")
    attempts = await AttemptStore(services.pool, services.vault).all_of(payment)
    return {
        **payment.to_json(),
        "merchant_id": payment.merchant_id,
        "attempts": [_attempt_json(payment, attempt) for attempt in attempts],
        "refunds": [each.to_json() for each in await refunds_of(services.pool, payment.id, payment.merchant_id)],
        "pricing": await services.store.pricing(payment),
    }


def _attempt_json(payment: Payment, attempt: AttemptView) -> dict[str, Any]:
    return {
        "seq": attempt.seq,
        "order_no": payment.with_(attempt_seq=attempt.seq).channel_order.order_no,
        "channel": attempt.account_id,
        "state": attempt.state,
        "channel_code": attempt.channel_code,
        "created_at": rfc3339(attempt.created_at),
        "finished_at": None if attempt.finished_at is None else rfc3339(attempt.finished_at),
        "routing": None if attempt.routing is None else orjson.loads(attempt.routing),
    }
