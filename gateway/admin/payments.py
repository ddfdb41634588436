"""Payments as operations see them, whoever's they are."""

from __future__ import annotations

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.payments.api import PaymentId
from gateway.payments.detail import PaymentDetail, detail_of

router = admin_router()


@router.get("/payments/{payment_id}", response_model=PaymentDetail, summary="Read any merchant's payment")
async def get_payment(request: Request, payment_id: PaymentId) -> Response:
    """A payment by its id, with its refunds, and with every attempt and why its account was asked."""
    return json_answer(200, await detail_of(services_of(request), payment_id)).to_response()
