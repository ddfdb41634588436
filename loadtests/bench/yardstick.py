"""The yardstick: a POST that does nothing, with a request and an answer of a payment's size, both typed.

Every figure of CPU is told as a multiple of what this costs on the same machine in the same run.  It is written as
anyone would write it first: FastAPI, typed in and out, uvicorn with uvloop and httptools.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import FastAPI
from pydantic import BaseModel


class Customer(BaseModel):
    id: str
    ip: str
    device_id: str


class Order(BaseModel):
    """The request, as the generator sends it."""

    merchant_order_no: str
    amount: int
    currency: str
    method: str
    auth_code: str
    description: str
    store_id: str
    terminal_id: str
    customer: Customer
    metadata: dict[str, str]


class Risk(BaseModel):
    decision: str
    score: int
    reasons: list[str]


class Receipt(BaseModel):
    """The answer, of the payment object's fields."""

    id: str
    object: str
    status: str
    merchant_order_no: str
    amount: int
    discount: int
    payable: int
    amount_refunded: int
    currency: str
    method: str
    wallet: str
    channel: str
    channel_trade_no: str
    qr_code: str | None
    promotions: list[str]
    risk: Risk
    failure: str | None
    created_at: datetime
    completed_at: datetime
    expires_at: datetime
    metadata: dict[str, str]


app = FastAPI(openapi_url=None)


@app.post("/no-op", status_code=201)
async def take(order: Order) -> Receipt:
    """Answer at once; nothing is looked up, stored or called."""
    now = datetime.now(UTC)
    return Receipt(
        id="pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
        object="payment",
        status="succeeded",
        merchant_order_no=order.merchant_order_no,
        amount=order.amount,
        discount=0,
        payable=order.amount,
        amount_refunded=0,
        currency=order.currency,
        method=order.method,
        wallet="wechat",
        channel="wechat_direct",
        channel_trade_no="4200002026202611220000000001",
        qr_code=None,
        promotions=[],
        risk=Risk(decision="approve", score=0, reasons=[]),
        failure=None,
        created_at=now,
        completed_at=now,
        expires_at=now,
        metadata=order.metadata,
    )
