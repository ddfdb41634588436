"""What the payment API takes and gives: pydantic models, the source of the OpenAPI document."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import AMOUNT_FEN_MAX, Currency
from gateway.payments import examples
from gateway.payments.states import Status

ORDER_NO_PATTERN: Final = r"^[0-9A-Za-z_-]{1,32}$"
PAYMENT_ID_PATTERN: Final = r"^pay_[0-9A-HJKMNP-TV-Z]{26}$"
AUTH_CODE_PATTERN: Final = r"^([0-9]{16,24}|fp[0-9A-Za-z]{33})$"


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Unicode's categories Cc (control characters) and Cs (surrogates), whole."""


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not hold control characters")
    return text


def _ip(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address") from None
    if "%" in text:
        raise ValueError("must not name an interface")
    return str(address)


def _unsigned_zero(degrees: float) -> float:
    """-0.0 and 0.0 are the same place, and must look the same in the canonical request."""
    return degrees + 0.0


def _storable(moment: datetime) -> datetime:
    if not 1970 <= moment.year < 9999:
        raise ValueError("must lie between the years 1970 and 9998")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_storable)]
Text = Annotated[str, AfterValidator(_printable)]
ShortText = Annotated[Text, Field(min_length=1, max_length=32)]
LongText = Annotated[Text, Field(min_length=1, max_length=127)]


class _Request(BaseModel):
    """Unknown fields are refused by name; nothing is coerced ("1" and true are no amounts)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Location(_Request):
    """Where the customer is, in degrees (WGS 84)."""

    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False), AfterValidator(_unsigned_zero)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False), AfterValidator(_unsigned_zero)]


class Customer(_Request):
    """What the till knows of the customer; `id` is the till's own, scoped to the merchant."""

    id: Annotated[Text, Field(min_length=1, max_length=64)] | None = None
    ip: Annotated[str, Field(max_length=45), AfterValidator(_ip)] | None = None
    device_id: Annotated[Text, Field(min_length=1, max_length=128)] | None = None
    location: Location | None = None
    card_bin: Annotated[str, Field(pattern=r"^[0-9]{6,8}$")] | None = None


class PaymentRequest(_Request):
    """Take a payment from the code that the till scanned (被扫)."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PAYMENT_REQUEST]})

    merchant_order_no: Annotated[str, Field(pattern=ORDER_NO_PATTERN, description="Unique per merchant for ever.")]
    amount: Annotated[int, Field(ge=1, le=AMOUNT_FEN_MAX, description="Fen.")]
    currency: Annotated[Literal["CNY"], Field(description="ISO 4217.")]
    method: Annotated[Literal["barcode"], Field(description="The till scanned the customer's code.")]
    auth_code: Annotated[str, Field(pattern=AUTH_CODE_PATTERN, description="The wallet is read from it.", repr=False)]
    description: Annotated[LongText | None, Field(description="What was bought; the merchant's name by default.")] = (
        None
    )
    store_id: ShortText | None = None
    terminal_id: ShortText | None = None
    operator_id: ShortText | None = None
    customer: Customer | None = None
    coupons: Annotated[list[ShortText], Field(max_length=10, default_factory=list)]
    expected_payable: Annotated[
        int | None, Field(ge=0, le=AMOUNT_FEN_MAX, description="Any other price is refused before anything is charged.")
    ] = None
    replaces: Annotated[
        str | None,
        Field(
            pattern=PAYMENT_ID_PATTERN, description="An earlier payment for the same sale; refused if that was paid."
        ),
    ] = None
    metadata: Annotated[
        dict[Annotated[Text, Field(min_length=1, max_length=40)], Annotated[Text, Field(max_length=500)]],
        Field(max_length=20, default_factory=dict),
    ]
    expires_in: Annotated[int, Field(ge=30, le=120, description="Seconds; then the payment is reversed.")] = 60
    notify_url: Annotated[Text | None, Field(max_length=255, pattern=r"^https?://[^\s]+$")] = None


class Failure(BaseModel):
    """Why a payment failed; `retryable` means: with a new order number."""

    code: FailureCode
    message: str
    channel_code: str | None
    retryable: bool


class Funding(BaseModel):
    """One funder's part of a discount, in fen."""

    sponsor: str
    amount: int


class Promotion(BaseModel):
    """A discount that was taken from a campaign."""

    campaign_id: str
    name: str
    discount: int
    funding: list[Funding]


class Risk(BaseModel):
    """What the risk check decided."""

    decision: Literal["approve", "review", "decline"]
    score: int
    reasons: list[str]


class LateCapture(BaseModel):
    """Money that arrived after the payment was over; it is given back by itself."""

    amount: int
    channel: str
    channel_trade_no: str | None
    status: Literal["pending", "refunded", "review"]
    found_at: datetime
    refunded_at: datetime | None


class PaymentObject(BaseModel):
    """A payment; amounts in fen, times in RFC 3339 UTC."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PAYMENT, examples.DECLINED_PAYMENT]})

    id: str
    object: Literal["payment"]
    status: Status
    merchant_order_no: str
    amount: int
    discount: int
    payable: int
    amount_refunded: int
    currency: Currency
    method: Literal["barcode"]
    wallet: str | None
    channel: str | None
    channel_trade_no: str | None
    qr_code: str | None
    promotions: list[Promotion]
    risk: Risk
    failure: Failure | None
    reversal: Literal["pending", "succeeded", "failed"] | None
    review: Annotated[str | None, Field(description="Why a person has to look at it; nothing automatic goes on.")]
    late_captures: list[LateCapture]
    replaces: str | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    created_at: datetime
    completed_at: datetime | None
    expires_at: datetime
    metadata: dict[str, Any]


class PaymentList(BaseModel):
    """A page of payments, newest first; the next one starts after the last id."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PAYMENT_LIST]})

    object: Literal["list"]
    data: list[PaymentObject]
    has_more: bool
