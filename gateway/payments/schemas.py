"""What the payment API takes and gives: pydantic models, the source of the OpenAPI document."""

from __future__ import annotations

import ipaddress
import re
import socket
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import AMOUNT_FEN_MAX, Currency
from gateway.payments import examples
from gateway.payments.states import Status
from routing.channels.base import Wallet
from routing.channels.facts import wallets_with
from routing.sale import Method

ORDER_NO_PATTERN: Final = r"^[0-9A-Za-z_-]{1,32}$"
PAYMENT_ID_PATTERN: Final = r"^pay_[0-9A-HJKMNP-TV-Z]{26}$"
AUTH_CODE_PATTERN: Final = r"^([0-9]{16,24}|fp[0-9A-Za-z]{33})$"


class _Expiry(NamedTuple):
    """Bounds of `expires_in` in seconds, and what it is where the till says nothing."""

    shortest: int
    longest: int
    otherwise: int


_EXPIRY_S: Final = {"barcode": _Expiry(30, 120, 60), "qrcode": _Expiry(60, 7_200, 300)}
_CODE_WALLETS: Final = wallets_with(Method.QRCODE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Unicode's categories Cc (control characters) and Cs (surrogates), whole."""


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not hold control characters")
    return text


def _is_ipv4(text: str) -> bool:
    """Whether it is an IPv4 address in its one spelling; the C library takes a twentieth of `ipaddress`'s time."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def _ip(text: str) -> str:
    if _is_ipv4(text):
        return text
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


class _Printable:
    """As `_printable`, but checked by pydantic's core: a payment has seven such texts, 0.5 µs each by a call of ours.

    It stands behind the bounds of the length, which pydantic would check by a call too if they came last.
    """

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        clean = core_schema.str_schema(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
        message = "Value error, must not hold control characters"
        told = core_schema.custom_error_schema(clean, "control_characters", custom_error_message=message)
        return core_schema.chain_schema([handler(source), told])


Text = Annotated[str, AfterValidator(_printable)]
ShortText = Annotated[str, Field(min_length=1, max_length=32), _Printable()]
LongText = Annotated[str, Field(min_length=1, max_length=127), _Printable()]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False, strict=True), AfterValidator(_unsigned_zero)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False, strict=True), AfterValidator(_unsigned_zero)]


class _Request(BaseModel):
    """Unknown fields are refused by name; nothing is coerced ("1" and true are no amounts)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Location(_Request):
    """Where the customer is, in degrees (WGS 84)."""

    latitude: Latitude
    longitude: Longitude


class Customer(_Request):
    """What the till knows of the customer; `id` is the till's own, scoped to the merchant."""

    id: Annotated[str, Field(min_length=1, max_length=64), _Printable()] | None = None
    ip: Annotated[str, Field(max_length=45), AfterValidator(_ip)] | None = None
    device_id: Annotated[str, Field(min_length=1, max_length=128), _Printable()] | None = None
    location: Location | None = None
    card_bin: Annotated[str, Field(pattern=r"^[0-9]{6,8}$")] | None = None
    device_rooted: Annotated[
        bool | None, Field(description="Whether the till's app found the customer's device tampered with (rooted).")
    ] = None


class PaymentRequest(_Request):
    """Take a payment: from the code that the till scanned (`barcode`, 被扫) or by a code to show (`qrcode`, 主扫)."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PAYMENT_REQUEST, examples.CODE_REQUEST]})

    merchant_order_no: Annotated[str, Field(pattern=ORDER_NO_PATTERN, description="Unique per merchant for ever.")]
    amount: Annotated[int, Field(ge=1, le=AMOUNT_FEN_MAX, description="Fen.")]
    currency: Annotated[Literal["CNY"], Field(description="ISO 4217.")]
    method: Annotated[
        Literal["barcode", "qrcode"],
        Field(description="`barcode`: the till scanned the customer's code. `qrcode`: the customer will scan ours."),
    ]
    auth_code: Annotated[
        str | None,
        Field(
            pattern=AUTH_CODE_PATTERN,
            description="With `barcode` only, and required there: the wallet is read from it.",
            repr=False,
            validate_default=True,
        ),
    ] = None
    wallet: Annotated[
        Wallet | None,
        Field(description="With `qrcode` only: whose code to show; without it any wallet can pay the code."),
    ] = None
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
        dict[
            Annotated[str, Field(min_length=1, max_length=40), _Printable()],
            Annotated[str, Field(max_length=500), _Printable()],
        ],
        Field(max_length=20, default_factory=dict),
    ]
    expires_in: Annotated[
        int | None,
        Field(
            ge=30,
            le=7200,
            description="Seconds. `barcode`: 30–120, 60 by default, then the payment is reversed; `qrcode`: 60–7,200, "
            "300 by default, then the code is closed.",
            validate_default=True,
        ),
    ] = None
    notify_url: Annotated[Text | None, Field(max_length=255, pattern=r"^https?://[^\s]+$")] = None

    @field_validator("auth_code")
    @classmethod
    def _goes_with_barcode(cls, auth_code: str | None, info: ValidationInfo) -> str | None:
        method = info.data.get("method")
        if auth_code is None and method == "barcode":
            raise PydanticCustomError("missing", "Field required")
        if auth_code is not None and method == "qrcode":
            raise ValueError("goes with method “barcode” only")
        return auth_code

    @field_validator("wallet")
    @classmethod
    def _goes_with_qrcode(cls, wallet: Wallet | None, info: ValidationInfo) -> Wallet | None:
        if wallet is not None and info.data.get("method") == "barcode":
            raise ValueError("goes with method “qrcode” only: the wallet of a bar code is read from it")
        if wallet is not None and wallet not in _CODE_WALLETS:
            raise ValueError(f"no channel shows a code of this wallet, only of {', '.join(sorted(_CODE_WALLETS))}")
        return wallet

    @field_validator("expires_in")
    @classmethod
    def _within_the_methods_bounds(cls, expires_in: int | None, info: ValidationInfo) -> int:
        bounds = _EXPIRY_S[info.data.get("method", "barcode")]
        if expires_in is None:
            return bounds.otherwise
        if not bounds.shortest <= expires_in <= bounds.longest:
            raise ValueError(f"must be from {bounds.shortest} to {bounds.longest} seconds")
        return expires_in

    @property
    def expires_in_s(self) -> int:
        """Seconds until the payment is reversed, or its code closed."""
        assert self.expires_in is not None, "the validator puts the method's default in"
        return self.expires_in


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
    """What was taken from a campaign: a discount for the customer, and who funds it."""

    campaign_id: str
    name: str
    discount: int
    funding: list[Funding]


class FeePromotion(Promotion):
    """What was taken from a campaign that pays (a part of) the merchant's fee; the customer's price is not changed."""

    fee_off: Annotated[int, Field(description="What its funders pay of the merchant's fee, in fen.")]


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

    model_config = ConfigDict(
        json_schema_extra={"examples": [examples.PAYMENT, examples.SHOWN_CODE, examples.DECLINED_PAYMENT]}
    )

    id: str
    object: Literal["payment"]
    status: Status
    merchant_order_no: str
    amount: int
    discount: int
    payable: int
    amount_refunded: int
    currency: Currency
    method: Literal["barcode", "qrcode"]
    wallet: str | None
    channel: str | None
    channel_trade_no: str | None
    qr_code: Annotated[str | None, Field(description="What the code to show holds, while it can be paid.")]
    code_id: Annotated[str | None, Field(description="The static code that the customer scanned.")]
    promotions: list[FeePromotion | Promotion]
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
