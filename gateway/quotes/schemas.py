"""What the quote API takes and gives: pydantic models, the source of the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.kernel.money import AMOUNT_FEN_MAX, Currency
from gateway.payments.schemas import AUTH_CODE_PATTERN, Customer, Failure, FeePromotion, Promotion, ShortText
from gateway.quotes import examples
from promotions.offer import Reason
from routing.channels.base import Wallet

_EXPIRES_IN_S: Final = {"barcode": 60, "qrcode": 300}
"""A payment's own defaults."""


class QuoteRequest(BaseModel):
    """A payment that might be taken, without an order number.  What the till does not know yet it leaves out.

    Unknown fields are refused by name; nothing is coerced ("1" and true are no amounts).
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"examples": [examples.QUOTE_REQUEST]}
    )

    amount: Annotated[int, Field(ge=1, le=AMOUNT_FEN_MAX, description="Fen.")]
    currency: Annotated[Literal["CNY"], Field(description="ISO 4217.")]
    method: Literal["barcode", "qrcode"] = "barcode"
    auth_code: Annotated[
        str | None,
        Field(
            pattern=AUTH_CODE_PATTERN,
            description="With `barcode`: the wallet is read from it, and nothing is charged.",
            repr=False,
        ),
    ] = None
    wallet: Annotated[
        Wallet | None,
        Field(description="Without it and without `auth_code`, no campaign that asks for a wallet applies."),
    ] = None
    store_id: ShortText | None = None
    terminal_id: ShortText | None = None
    operator_id: ShortText | None = None
    customer: Customer | None = None
    coupons: Annotated[list[ShortText], Field(max_length=10, default_factory=list)]
    expires_in: Annotated[
        int | None, Field(ge=30, le=7200, description="Seconds, as the payment would have; its defaults without it.")
    ] = None

    @property
    def expires_in_s(self) -> int:
        """How long the payment could stay open."""
        return _EXPIRES_IN_S[self.method] if self.expires_in is None else self.expires_in


class ConsideredCampaign(BaseModel):
    """A campaign and why it would apply or not; `detail` is a sentence for people."""

    campaign_id: str
    name: str
    applied: bool
    reason: Annotated[Reason, Field(description="See docs/campaigns.md.")]
    discount: Annotated[int, Field(description="Fen.")]
    detail: str | None


class QuoteObject(BaseModel):
    """What the customer would pay; amounts in fen, times in RFC 3339 UTC."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.QUOTE]})

    object: Literal["quote"]
    amount: int
    discount: int
    payable: Annotated[int, Field(description="Send it as `expected_payable`: no other price is charged then.")]
    currency: Currency
    method: Literal["barcode", "qrcode"]
    wallet: str | None
    promotions: list[FeePromotion | Promotion]
    considered: Annotated[
        list[ConsideredCampaign],
        Field(
            description="Those that apply first; then all others whose condition holds, and the nearest of the rest."
        ),
    ]
    failure: Annotated[Failure | None, Field(description="How such a payment would fail, where a campaign refuses it.")]
    quoted_at: Annotated[datetime, Field(description="The price is that of this moment; nothing is reserved for it.")]
