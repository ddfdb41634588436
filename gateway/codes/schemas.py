"""What the API of codes takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.kernel.money import AMOUNT_FEN_MAX
from gateway.payments.schemas import ORDER_NO_PATTERN, Customer, LongText, ShortText, Text

CODE_ID_PATTERN: Final = r"^cod_[0-9A-HJKMNP-TV-Z]{26}$"

STATIC_REQUEST: Final[dict[str, Any]] = {"type": "static", "name": "Corner Café", "store_id": "s-1"}
PAYMENT_REQUEST: Final[dict[str, Any]] = {
    "type": "payment",
    "merchant_order_no": "POS7-000125",
    "amount": 2599,
    "description": "latte",
    "expires_in": 300,
}
_URL: Final = "https://pay.example/q/sYp3s6v9y8x2z5C8F4J7nZq"
STATIC_CODE: Final[dict[str, Any]] = {
    "id": "cod_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "object": "code",
    "type": "static",
    "status": "active",
    "name": "Corner Café",
    "amount": None,
    "currency": "CNY",
    "description": None,
    "store_id": "s-1",
    "terminal_id": None,
    "operator_id": None,
    "metadata": {},
    "payment_id": None,
    "url": _URL,
    "svg_url": f"{_URL}/code.svg",
    "png_url": f"{_URL}/code.png",
    "card_url": f"{_URL}/card",
    "created_at": "2026-11-22T01:02:03.004Z",
    "revoked_at": None,
}
PAYMENT_CODE: Final[dict[str, Any]] = {
    **STATIC_CODE,
    "type": "payment",
    "amount": 2599,
    "description": "latte",
    "store_id": None,
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
}
CODE_LIST: Final[dict[str, Any]] = {"object": "list", "data": [STATIC_CODE], "has_more": False}
_ONE_PAYMENT: Final = ("merchant_order_no", "expires_in", "customer", "coupons", "notify_url")


class CodeRequest(BaseModel):
    """A code that any wallet can pay: static (printed once, each scan a new payment) or for one payment.

    Without `type` a request that has a `merchant_order_no` is for one payment.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"examples": [STATIC_REQUEST, PAYMENT_REQUEST]},
    )

    type: Literal["static", "payment"] | None = None
    merchant_order_no: Annotated[
        str | None,
        Field(pattern=ORDER_NO_PATTERN, validate_default=True, description="Of the one payment; required there."),
    ] = None
    amount: Annotated[
        int | None,
        Field(
            ge=1,
            le=AMOUNT_FEN_MAX,
            validate_default=True,
            description="Fen.  A static code without one lets the customer type it.",
        ),
    ] = None
    currency: Literal["CNY"] = "CNY"
    name: Annotated[
        LongText | None,
        Field(description="With a static code only: shown on the page and the card; the merchant's name by default."),
    ] = None
    description: Annotated[LongText | None, Field(description="What is bought: shown on the page.")] = None
    store_id: ShortText | None = None
    terminal_id: ShortText | None = None
    operator_id: ShortText | None = None
    metadata: Annotated[
        dict[Annotated[Text, Field(min_length=1, max_length=40)], Annotated[Text, Field(max_length=500)]],
        Field(max_length=20, default_factory=dict),
    ]
    expires_in: Annotated[int | None, Field(ge=60, le=7200, description="Seconds; 300 by default.")] = None
    customer: Customer | None = None
    coupons: Annotated[list[ShortText] | None, Field(max_length=10)] = None
    notify_url: Annotated[Text | None, Field(max_length=255)] = None

    @property
    def is_static(self) -> bool:
        """Whether every scan is a payment of its own."""
        return self.type == "static" if self.type is not None else self.merchant_order_no is None

    @field_validator("merchant_order_no")
    @classmethod
    def _names_one_payment(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("type") == "payment":
            raise PydanticCustomError("missing", "Field required")
        return value

    @field_validator("amount")
    @classmethod
    def _one_payment_has_an_amount(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is None and info.data.get("type") != "static" and info.data.get("merchant_order_no") is not None:
            raise PydanticCustomError("missing", "Field required")
        return value

    @field_validator("name")
    @classmethod
    def _is_of_a_static_code(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or info.data.get("type") == "static":
            return value
        if info.data.get("type") == "payment" or info.data.get("merchant_order_no") is not None:
            raise ValueError("goes with a static code only: the page of a payment shows the merchant's own")
        return value

    @field_validator(*_ONE_PAYMENT)
    @classmethod
    def _is_of_one_payment(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("type") == "static":
            raise ValueError("goes with a code for one payment only")
        return value


class CodeObject(BaseModel):
    """A code.  `url` is what it holds; the images and the card need no key."""

    model_config = ConfigDict(json_schema_extra={"examples": [STATIC_CODE, PAYMENT_CODE]})

    id: str
    object: Literal["code"]
    type: Literal["static", "payment"]
    status: Literal["active", "revoked", "paid", "over"]
    name: str
    amount: int | None
    currency: str
    description: str | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    metadata: dict[str, str]
    payment_id: str | None
    url: str
    svg_url: str
    png_url: str
    card_url: str
    created_at: datetime
    revoked_at: datetime | None


class CodeList(BaseModel):
    """A page of static codes, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [CODE_LIST]})

    object: Literal["list"]
    data: list[CodeObject]
    has_more: bool
