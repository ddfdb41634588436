"""The receipt as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.kernel.money import Currency
from gateway.receipts.receipt import Standing

_EXAMPLE: dict[str, Any] = {
    "object": "receipt",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "merchant_name": "Corner Café",
    "store_id": "s-1",
    "terminal_id": "t-1",
    "operator_id": None,
    "merchant_order_no": "POS7-000123",
    "status": "partly_refunded",
    "wallet": "wechat",
    "channel_trade_no": "4200002611202611223456789012",
    "currency": "CNY",
    "amount": 2599,
    "discount": 500,
    "discounts": [{"funder": "bank", "amount": 350}, {"funder": "merchant", "amount": 150}],
    "payable": 2099,
    "returned_to_customer": 807,
    "refunds": [
        {
            "merchant_refund_no": "POS7-R-17",
            "status": "succeeded",
            "amount": 1000,
            "returned_to_customer": 807,
            "created_at": "2026-11-22T02:03:04.005Z",
        }
    ],
    "paid_at": "2026-11-22T01:02:03.004Z",
    "timezone": "Asia/Shanghai",
    "receipt_url": "https://pay.example/r/01JD5ZV8W3M0Q9C6R1T2X4Y7KBMZXW6YTBOI2GK3DF",
}


class FunderPart(BaseModel):
    """One funder's part of the discount, in fen; `merchant` is the merchant itself."""

    funder: str
    amount: int


class ReceiptRefund(BaseModel):
    """A refund on a receipt; fen."""

    merchant_refund_no: str
    status: Literal["pending", "succeeded"]
    amount: Annotated[int | None, Field(description="Goods' value; null where the merchant shows no discounts.")]
    returned_to_customer: int
    created_at: datetime


class ReceiptObject(BaseModel):
    """An electronic receipt (电子凭证); amounts in fen."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    object: Literal["receipt"]
    payment_id: str
    merchant_name: str
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    merchant_order_no: str
    status: Standing
    wallet: str | None
    channel_trade_no: Annotated[str | None, Field(description="The wallet's own number, as its app shows it.")]
    currency: Currency
    amount: Annotated[int | None, Field(description="Goods' value; null where the merchant shows no discounts.")]
    discount: Annotated[int | None, Field(description="Null where the merchant shows no discounts.")]
    discounts: Annotated[
        list[FunderPart] | None, Field(description="Who paid for the discount, where the merchant shows that.")
    ]
    payable: Annotated[int, Field(description="What the customer paid.")]
    returned_to_customer: int
    refunds: list[ReceiptRefund]
    paid_at: datetime
    timezone: Annotated[str, Field(description="The merchant's, in which the page writes its times.")]
    receipt_url: Annotated[str, Field(description="The same as a page for the customer, to print as a code; no key.")]
