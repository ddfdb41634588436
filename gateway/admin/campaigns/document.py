"""A campaign's document in the OpenAPI document; it is read by promotions.campaigns, which finds every problem at once.

Amounts are fen, shares and percentages decimal strings, times RFC 3339 with their offset (docs/campaigns.md).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from gateway.admin.access import example
from promotions.campaigns.campaign import FUNDERS_MAX, Mode, PaceCurve, WhenExhausted

DOCUMENT: Final[dict[str, Any]] = {
    "name": "满20减5",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]},
    "condition": "payment.wallet == 'wechat' && payment.hour >= 7",
    "limits": {
        "budget": 1000000,
        "budget_per_day": 200000,
        "count": None,
        "count_per_day": None,
        "per_customer": {"lifetime": 3, "day": 1},
    },
    "on_refund": {"budget": "return", "limits": "keep"},
    "funding": [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}],
    "stacking": {"group": "default", "mode": "best", "priority": 10},
    "starts_at": "2026-11-22T00:00:00+08:00",
    "ends_at": "2026-12-22T00:00:00+08:00",
    "timezone": "Asia/Shanghai",
    "when_exhausted": "charge_full",
}

Fen = Annotated[int, Field(ge=0, description="Fen.")]
Percent = Annotated[str, Field(description='Above "0", up to "100", at most four digits after the point.')]


class TierModel(BaseModel):
    """From `spend` on, `off` less."""

    spend: Fen
    off: Fen


class AmountOffModel(BaseModel):
    """满减: the highest tier that the amount reaches; tiers rise in both."""

    type: Literal["amount_off"]
    tiers: list[TierModel]


class PercentOffModel(BaseModel):
    """A percentage of the amount, at most `max`, from `spend` on."""

    type: Literal["percent_off"]
    percent: Percent
    max: Fen | None = None
    spend: Fen | None = None


class RandomOffModel(BaseModel):
    """随机立减: between `min` and `max`, `mean` on average, from `spend` on."""

    type: Literal["random_off"]
    min: Fen
    max: Fen
    mean: Fen
    spend: Fen | None = None
    percent_max: Annotated[Percent | None, Field(description="At most so much of the amount.")] = None


class FixedPriceModel(BaseModel):
    """The customer pays `price`, from `spend` on."""

    type: Literal["fixed_price"]
    price: Fen
    spend: Fen | None = None


class FeeOffModel(BaseModel):
    """手续费折扣: the funders pay a part of the merchant's fee; the customer's price stays."""

    type: Literal["fee_off"]
    percent: Percent
    max: Fen | None = None
    spend: Fen | None = None


class CouponRewardModel(BaseModel):
    """满额返券: once the payment is captured, the customer gets coupons of another campaign."""

    type: Literal["coupon"]
    campaign: Annotated[str, Field(description="Whose coupons, `cam_…`.")]
    count: int = 1
    spend: Fen | None = None


class AllowanceModel(BaseModel):
    """What one of a scope may take; null is no limit."""

    lifetime: Annotated[int | None, Field(description="How often in all.")] = None
    day: Annotated[int | None, Field(description="How often on a day of the campaign's time zone.")] = None
    amount: Annotated[Fen | None, Field(description="Fen in all.")] = None
    amount_per_day: Annotated[Fen | None, Field(description="Fen on a day.")] = None


class LimitsModel(BaseModel):
    """Of the whole campaign, and of each customer, device…; null is no limit.  A budget is fen of discount."""

    budget: Fen | None = None
    budget_per_day: Fen | None = None
    count: Annotated[int | None, Field(ge=0, description="Payments that get it.")] = None
    count_per_day: Annotated[int | None, Field(ge=0)] = None
    per_customer: AllowanceModel | None = None
    per_device: AllowanceModel | None = None
    per_store: AllowanceModel | None = None
    per_merchant: AllowanceModel | None = None
    per_region: AllowanceModel | None = None
    per_code: AllowanceModel | None = None


class ShareModel(BaseModel):
    """What a sponsor pays of each discount."""

    sponsor: str
    share: Annotated[str, Field(description="A decimal string; the shares add up to 1.")]


class StackingModel(BaseModel):
    """How it goes together with the other campaigns of its group."""

    group: str = "default"
    mode: Mode = Mode.BEST
    priority: Annotated[int, Field(description="Higher is earlier.")] = 0
    total_max: Annotated[Fen | None, Field(description="Cap on a payment's whole discount.")] = None
    total_max_percent: Annotated[Percent | None, Field(description="The same, of the amount.")] = None


class OnRefundModel(BaseModel):
    """What a refund gives back: budget in proportion, limits on a full refund only."""

    budget: Literal["return", "keep"] = "return"
    limits: Literal["keep", "return_on_full"] = "keep"


class PacingModel(BaseModel):
    """How the day's budget is spread: evenly, or by 24 weights."""

    curve: PaceCurve
    shape: list[float] | None = None


class CouponModel(BaseModel):
    """Its coupons: with `code`, everybody's who types it; else each is one customer's own, claimed or issued."""

    code: str | None = None
    stock: Annotated[int | None, Field(description="How many there are in all.")] = None
    per_customer: int | None = None
    claim_from: str | None = None
    claim_until: str | None = None
    valid_days: int | None = None
    bins: Annotated[list[str] | None, Field(description="Card BINs that it is bound to.")] = None
    claimable: Annotated[bool | None, Field(description="False: only issued.")] = None
    returns_on_cancel: bool | None = None
    returns_on_refund: bool | None = None


class CampaignDocument(BaseModel):
    """A campaign as its manager writes it: docs/campaigns.md explains each field, `/campaigns/examples` has some."""

    model_config = example(DOCUMENT)

    name: str
    benefit: AmountOffModel | PercentOffModel | RandomOffModel | FixedPriceModel | FeeOffModel | CouponRewardModel
    condition: Annotated[str | None, Field(description="CEL over documented fields; null holds always.")] = None
    limits: LimitsModel | None = None
    on_refund: OnRefundModel | None = None
    funding: Annotated[
        list[ShareModel] | None, Field(max_length=FUNDERS_MAX, description="Required, but for rewards of coupons.")
    ] = None
    stacking: StackingModel | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    timezone: str = "Asia/Shanghai"
    when_exhausted: WhenExhausted = WhenExhausted.CHARGE_FULL
    pacing: PacingModel | None = None
    coupon: Annotated[CouponModel | None, Field(description="Had with a coupon only.")] = None
    slices: Annotated[int, Field(ge=1, le=64, description="More than one for a campaign that is very hot.")] = 1
