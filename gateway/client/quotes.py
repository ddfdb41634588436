"""What a quote answers, as typed dictionaries: amounts in fen, times in RFC 3339 UTC."""

from __future__ import annotations

from typing import Literal, TypedDict

from gateway.client.objects import Failure, Promotion, Wallet


class ConsideredCampaign(TypedDict):
    """A campaign and why it would apply or not; `detail` is a sentence for people."""

    campaign_id: str
    name: str
    applied: bool
    reason: Literal[
        "applied",
        "condition",
        "not_now",
        "below_spend",
        "customer_unknown",
        "coupon_missing",
        "limit_reached",
        "budget_exhausted",
        "throttled",
        "held_too_long",
        "too_many_codes",
        "better_offer",
        "nothing_left",
        "not_promoted",
    ]
    discount: int
    detail: str | None


class Quote(TypedDict):
    """What a customer would pay; with `failure` such a payment would be refused."""

    object: Literal["quote"]
    amount: int
    discount: int
    payable: int
    currency: str
    method: Literal["barcode", "qrcode"]
    wallet: Wallet | None
    promotions: list[Promotion]
    considered: list[ConsideredCampaign]
    failure: Failure | None
    quoted_at: str
