"""What `POST /admin/v1/routing/explain` takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, Field

from gateway.admin.access import AdminRequest, example
from gateway.admin.merchants.endpoints import MERCHANT_ID_PATTERN
from gateway.kernel.money import AMOUNT_FEN_MAX
from gateway.payments.schemas import PAYMENT_ID_PATTERN, ShortText
from routing.channels.base import Wallet
from routing.choice import Reason, Why
from routing.sale import Method

_DECISION: Final[dict[str, Any]] = {
    "account": "wechat_direct",
    "why": "best_value",
    "policy_version": 7,
    "rules": ["night"],
    "candidates": [
        {"account": "wechat_direct", "reason": None, "success": 0.9981, "fee": 10, "subsidy": 0, "value": 768.24},
        {"account": "unionpay_front", "reason": "outage", "success": None, "fee": None, "subsidy": None, "value": None},
    ],
}
_SALE: Final[dict[str, Any]] = {
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "amount": 2599,
    "wallet": "wechat",
    "method": "barcode",
    "at": "2026-11-22T12:58:03.120+08:00",
    "store_id": "s-1",
    "terminal_id": None,
    "operator_id": None,
    "card_bin": None,
    "static_code": False,
}
_EXPLANATION: Final[dict[str, Any]] = {
    "object": "routing_explanation",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "status": "succeeded",
    "attempts": [
        {
            "seq": 1,
            "account": "wechat_direct",
            "state": "captured",
            "channel_code": "SUCCESS",
            "created_at": "2026-11-22T04:58:03.120Z",
            "finished_at": "2026-11-22T04:58:03.480Z",
            "decision": _DECISION,
        }
    ],
    "sale": _SALE,
    "now": _DECISION,
}


class ExplainRequest(AdminRequest):
    """A payment (`payment_id` alone), or the facts of a sale: `amount`, and `wallet` or `auth_code`."""

    model_config = example({"amount": 2599, "wallet": "wechat", "store_id": "s-1"})

    payment_id: Annotated[str | None, Field(pattern=PAYMENT_ID_PATTERN)] = None
    merchant_id: Annotated[
        str | None, Field(pattern=MERCHANT_ID_PATTERN, description="Without it, a merchant with no account of its own.")
    ] = None
    amount: Annotated[int | None, Field(strict=True, ge=1, le=AMOUNT_FEN_MAX, description="Fen.")] = None
    wallet: Wallet | None = None
    auth_code: Annotated[str | None, Field(max_length=64, description="The wallet is recognised by it.")] = None
    method: Annotated[Method | None, Field(description="`barcode` by default.")] = None
    at: Annotated[AwareDatetime | None, Field(description="Now by default; health is always that of now.")] = None
    store_id: ShortText | None = None
    terminal_id: ShortText | None = None
    operator_id: ShortText | None = None
    card_bin: Annotated[str | None, Field(pattern=r"^[0-9]{6,8}$")] = None
    static_code: Annotated[bool, Field(strict=True)] = False


class CandidateObject(BaseModel):
    """An account as it was weighed; amounts in fen, `value` in fen and hundredths."""

    account: str
    reason: Annotated[Reason | None, Field(description="Why it could not take the sale: docs/routing.md.")]
    success: Annotated[float | None, Field(description="The probability that it answers as a healthy channel does.")]
    fee: int | None
    subsidy: int | None
    value: Annotated[float | None, Field(description="success × (success_value × amount − fee − subsidy).")]


class DecisionObject(BaseModel):
    """What the router decided: the account chosen comes first, then the others by value, then those ruled out."""

    model_config = example(_DECISION)

    account: str | None
    why: Why
    policy_version: int
    rules: Annotated[list[str], Field(description="The rules of the policy that matched.")]
    candidates: list[CandidateObject]


class ExplainedAttempt(BaseModel):
    """An attempt, and what was decided when it was made; null where that is not kept."""

    seq: int
    account: str
    state: str
    channel_code: str | None
    created_at: datetime
    finished_at: datetime | None
    decision: DecisionObject | None


class SaleObject(BaseModel):
    """What routing knows of the sale; `at` in the merchant's time zone."""

    model_config = example(_SALE)

    merchant_id: str | None
    amount: int
    wallet: Wallet
    method: Method
    at: datetime
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    card_bin: str | None
    static_code: bool


class Explanation(BaseModel):
    """What was decided then, and what this process would decide now; `sale` is what the latter is about.

    `sale` and `now` are null for a code that any wallet can pay and nobody has paid yet.
    """

    model_config = example(_EXPLANATION)

    object: Literal["routing_explanation"]
    payment_id: str | None
    status: str | None
    attempts: list[ExplainedAttempt]
    sale: SaleObject | None
    now: DecisionObject | None
