"""The baseline's request and answer, typed and bounded like the gateway's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import asyncpg
import orjson
from pydantic import BaseModel, ConfigDict, Field

from loadtests.baseline.campaign import Campaign

_Short = Annotated[str, Field(min_length=1, max_length=32)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Customer(_Request):
    """What the till knows of the customer."""

    id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    ip: Annotated[str, Field(max_length=45)] | None = None
    device_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class PaymentRequest(_Request):
    """A WeChat bar code payment."""

    merchant_order_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,32}$")]
    amount: Annotated[int, Field(ge=1, le=10_000_000_000)]
    currency: Literal["CNY"]
    method: Literal["barcode"]
    auth_code: Annotated[str, Field(pattern=r"^1[0-5][0-9]{16}$")]
    description: Annotated[str, Field(min_length=1, max_length=127)] | None = None
    store_id: _Short | None = None
    terminal_id: _Short | None = None
    customer: Customer | None = None
    metadata: Annotated[dict[str, str], Field(max_length=20)] = {}
    expires_in: Annotated[int, Field(ge=30, le=120)] = 60


class Risk(BaseModel):
    """The baseline approves everything."""

    decision: str = "approve"
    score: int = 0
    reasons: list[str] = []


class Part(BaseModel):
    """What a funder pays."""

    sponsor: str
    amount: int


class Promotion(BaseModel):
    """The campaign's part of the discount."""

    campaign_id: str
    name: str
    discount: int
    funding: list[Part]


class PaymentObject(BaseModel):
    """A payment, with the fields of the gateway's answer."""

    id: str
    object: Literal["payment"] = "payment"
    status: str
    merchant_order_no: str
    amount: int
    discount: int = 0
    payable: int
    amount_refunded: int = 0
    currency: str
    method: str = "barcode"
    wallet: str = "wechat"
    channel: str
    channel_trade_no: str | None
    qr_code: str | None = None
    promotions: list[Promotion] = []
    risk: Risk = Risk()
    failure: str | None
    created_at: datetime
    completed_at: datetime | None
    expires_at: datetime
    metadata: dict[str, Any]

    @classmethod
    def of(cls, row: asyncpg.Record, campaign: Campaign | None) -> PaymentObject:
        """The payment of a row of the table; its discount is the campaign's."""
        discount = row["amount"] - row["payable"]
        return cls(
            id=row["id"],
            status=row["status"],
            merchant_order_no=row["merchant_order_no"],
            amount=row["amount"],
            discount=discount,
            payable=row["payable"],
            promotions=[_promotion(campaign, discount)] if campaign is not None and discount else [],
            currency=row["currency"],
            channel=row["account_id"],
            channel_trade_no=row["channel_trade_no"],
            failure=row["failure_code"],
            created_at=row["created_at"],
            completed_at=row["completed_at"],
            expires_at=row["expires_at"],
            metadata=orjson.loads(row["metadata"]) if row["metadata"] else {},
        )


def _promotion(campaign: Campaign, discount: int) -> Promotion:
    parts = [Part(sponsor=part.sponsor, amount=part.amount.amount_fen) for part in campaign.funding(discount)]
    return Promotion(campaign_id=campaign.id, name=campaign.name, discount=discount, funding=parts)
