"""What the refund API takes and gives: pydantic models, the source of the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import AMOUNT_FEN_MAX, Currency
from gateway.payments.schemas import ORDER_NO_PATTERN, PAYMENT_ID_PATTERN, Funding, LongText, ShortText, Text
from gateway.refunds import examples

REFUND_ID_PATTERN: Final = r"^ref_[0-9A-HJKMNP-TV-Z]{26}$"


class RefundRequest(BaseModel):
    """Give goods' value back, all of it or a part, as often as the channel allows.

    Unknown fields are refused by name; nothing is coerced ("1" and true are no amounts).
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"examples": [examples.REFUND_REQUEST]}
    )

    payment_id: Annotated[str, Field(pattern=PAYMENT_ID_PATTERN)]
    amount: Annotated[
        int,
        Field(
            ge=1,
            le=AMOUNT_FEN_MAX,
            description="Fen of goods' value: of what the goods cost before the discount. All refunds of a payment "
            "together never exceed its `amount`.",
        ),
    ]
    merchant_refund_no: Annotated[str, Field(pattern=ORDER_NO_PATTERN, description="Unique per merchant for ever.")]
    reason: Annotated[
        LongText | None, Field(description="The channel shows it to the customer (WeChat its first 80 characters).")
    ] = None
    store_id: ShortText | None = None
    terminal_id: ShortText | None = None
    operator_id: ShortText | None = None
    metadata: Annotated[
        dict[Annotated[Text, Field(min_length=1, max_length=40)], Annotated[Text, Field(max_length=500)]],
        Field(max_length=20, default_factory=dict),
    ]


class RefundFailure(BaseModel):
    """Why a refund failed; `retryable` means: with a new refund number."""

    code: FailureCode
    message: str
    channel_code: str | None
    retryable: bool


class RefundObject(BaseModel):
    """A refund; amounts in fen, times in RFC 3339 UTC."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REFUND, examples.FAILED_REFUND]})

    id: str
    object: Literal["refund"]
    status: Annotated[
        Literal["pending", "succeeded", "failed"],
        Field(description="`pending`: on its way, or waiting until the channel takes the next refund of the payment."),
    ]
    payment_id: str
    merchant_refund_no: str
    amount: Annotated[int, Field(description="The goods' value.")]
    returned_to_customer: int
    discount_returned: Annotated[int, Field(description="What goes back to the funders of the discount.")]
    fee_returned: Annotated[int, Field(description="What the channel gives back of its fee.")]
    funding: Annotated[list[Funding], Field(description="The discount returned, by funder.")]
    currency: Currency
    reason: str | None
    channel: Annotated[str, Field(description="The channel account that took the payment.")]
    channel_refund_no: Annotated[str | None, Field(description="The channel's own number, where it has one.")]
    failure: RefundFailure | None
    review: Annotated[str | None, Field(description="Why a person has to look at it.")]
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    created_at: datetime
    completed_at: datetime | None
    metadata: dict[str, Any]


class RefundList(BaseModel):
    """A page of refunds, newest first; the next one starts after the last id."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REFUND_LIST]})

    object: Literal["list"]
    data: list[RefundObject]
    has_more: bool
