"""What the cashier page sends, and what it is told: no key is needed, so nothing here is for a till."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.codes.sales import TYPED_FEN_MAX
from gateway.codes.standing import Standing
from gateway.kernel.failures import FailureCode

_SALE: Final = "01JD5ZV8W3M0Q9C6R1T2X4Y7KBMZXW6YTBOI2GK3DF"
SaleField = Annotated[str | None, Field(max_length=64, description="The sale at a static code, as the page has it.")]


class _Asked(BaseModel):
    """Unknown fields are refused by name; nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PayRequest(_Asked):
    """What the page sends when the customer taps "pay"."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 1250, "sale": _SALE}, {}]})

    amount: Annotated[
        int | None, Field(ge=1, le=TYPED_FEN_MAX, description="Fen, where the customer types the amount.")
    ] = None
    sale: SaleField = None


class GiveUpRequest(_Asked):
    """The sale whose amount the customer wants to change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sale": _SALE}]})

    sale: Annotated[str, Field(max_length=64)]


class StandingAnswer(BaseModel):
    """How the payment behind the page stands; amounts in fen, None while the customer has not typed one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "paid",
                    "amount": 1250,
                    "discount": 0,
                    "payable": 1250,
                    "paid_at": "2026-11-22 09:02:03",
                    "number": "Q-01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
                }
            ]
        }
    )

    status: Standing
    amount: int | None
    discount: int | None
    payable: int | None
    paid_at: Annotated[str | None, Field(description="On the shop's clock.")]
    number: Annotated[str | None, Field(description="The merchant's order number, once it is paid.")]


_PAY_EXAMPLE: Final[dict[str, Any]] = {
    "status": "ready",
    "amount": 1250,
    "discount": 0,
    "payable": 1250,
    "paid_at": None,
    "number": None,
    "bridge": {"appId": "wx…", "timeStamp": "1795309323", "nonceStr": "…", "package": "prepay_id=…"},
    "bridge_url": None,
    "pay_url": None,
    "retry_after_s": None,
    "failure": None,
}


class PayAnswer(BaseModel):
    """How the page goes on.

    `ready`: call the wallet's bridge with `bridge`, or go to `pay_url`.  `busy`: another payer's order is open, come
    back after `retry_after_s`.  `refused`: the wallet opens no order for this payer, or what was typed is over a limit
    (`failure`).
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_PAY_EXAMPLE]})

    status: Literal["ready", "paid", "busy", "refused", "over", "checking"]
    amount: int | None
    discount: int | None
    payable: int | None
    paid_at: str | None
    number: str | None
    bridge: dict[str, str] | None = None
    bridge_url: Annotated[str | None, Field(description="Development: the script of a stand-in for the bridge.")] = None
    pay_url: str | None = None
    retry_after_s: int | None = None
    failure: FailureCode | None = None
