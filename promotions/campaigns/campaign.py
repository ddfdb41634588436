"""A campaign as its document says: benefit, condition, limits, funding, stacking; plain values, amounts in fen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from gateway.kernel.expressions import Expression

FUNDERS_MAX: Final = 5
"""Of one campaign."""
CAMPAIGNS_MAX: Final = 5
"""That one payment can draw from: with FUNDERS_MAX, within what the ledger numbers for a discount."""


class Status(StrEnum):
    """Where a campaign stands; `active` outside of its dates gives nothing."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Tier:
    """From `spend_fen` on, `off_fen` less."""

    spend_fen: int
    off_fen: int


@dataclass(frozen=True, slots=True)
class AmountOff:
    """满减: the highest tier that the amount reaches applies.  Tiers rise in both."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class PercentOff:
    """`percent` (above 0, at most 100) of the amount, at most `max_fen`, from `spend_fen` on; rounded down."""

    percent: Decimal
    max_fen: int | None = None
    spend_fen: int = 0


@dataclass(frozen=True, slots=True)
class RandomOff:
    """随机立减: between `min_fen` and `max_fen`, on average `mean_fen`, at most `percent_max` of the amount."""

    min_fen: int
    max_fen: int
    mean_fen: int
    spend_fen: int = 0
    percent_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """The customer pays `price_fen`, from `spend_fen` on."""

    price_fen: int
    spend_fen: int = 0


@dataclass(frozen=True, slots=True)
class FeeOff:
    """手续费折扣: the funders pay `percent` of the merchant's fee; the customer's price stays."""

    percent: Decimal
    max_fen: int | None = None
    spend_fen: int = 0


@dataclass(frozen=True, slots=True)
class CouponReward:
    """满额返券: once the payment is captured, the customer gets `count` coupons of another campaign."""

    campaign_id: str
    count: int = 1
    spend_fen: int = 0


Benefit: TypeAlias = AmountOff | PercentOff | RandomOff | FixedPrice | FeeOff | CouponReward


class Scope(StrEnum):
    """Of whom a limit counts."""

    CUSTOMER = "customer"
    DEVICE = "device"
    STORE = "store"
    MERCHANT = "merchant"
    REGION = "region"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often, and how much in fen, one of a scope may take; None is no limit."""

    lifetime: int | None = None
    day: int | None = None
    amount_fen: int | None = None
    amount_per_day_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the whole campaign (None is no limit), and of each in a scope."""

    budget_fen: int | None = None
    budget_per_day_fen: int | None = None
    count: int | None = None
    count_per_day: int | None = None
    per: Mapping[Scope, Allowance] = field(default_factory=dict)

    @property
    def has_slices(self) -> bool:
        """Whether anything of the campaign as a whole is limited."""
        return not (self.budget_fen is self.budget_per_day_fen is self.count is self.count_per_day is None)


@dataclass(frozen=True, slots=True)
class Share:
    """What a sponsor pays of each discount; the shares of a campaign come to 1 exactly."""

    sponsor: str
    share: Decimal


class Mode(StrEnum):
    """How a campaign goes together with the others of its group."""

    EXCLUSIVE = "exclusive"
    """With nothing else on the payment, of whatever group."""
    BEST = "best"
    """Alone of its group: the best one."""
    CASCADING = "cascading"
    """With the other cascading ones of its group: one after the other by priority, each on what is left to pay."""


@dataclass(frozen=True, slots=True)
class Stacking:
    """The group, and a cap on the total discount of a payment that draws from this campaign."""

    group: str = "default"
    mode: Mode = Mode.BEST
    priority: int = 0
    """Higher is earlier; it also decides between equals."""
    total_max_fen: int | None = None
    total_max_percent: Decimal | None = None


class WhenExhausted(StrEnum):
    """What becomes of a payment whose discount is no longer there."""

    CHARGE_FULL = "charge_full"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class OnRefund:
    """Whether a refund gives back budget, and a full one the limits."""

    returns_budget: bool = True
    returns_limits: bool = False


class PaceCurve(StrEnum):
    """How the day's budget is spread."""

    EVEN = "even"
    SHAPE = "shape"


@dataclass(frozen=True, slots=True)
class Pacing:
    """`shape` has 24 weights, one for each hour of the campaign's day; all equal where the curve is even."""

    curve: PaceCurve
    shape: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """The coupons of a campaign: with them, its discount is had by a coupon only.

    With `code`, whoever types it has it (no stock of its own).  Else each coupon is claimed or issued, one customer's
    own.  `bins` are the card BINs that it is bound to; `claim_from`/`claim_until` when it can be claimed.
    """

    code: str | None = None
    stock: int | None = None
    per_customer: int = 1
    claim_from: datetime | None = None
    claim_until: datetime | None = None
    valid_days: int | None = None
    bins: tuple[str, ...] = ()
    claimable: bool = True
    """False: only issued, by a CouponReward or by the manager."""
    returns_on_cancel: bool = True
    returns_on_refund: bool = True


@dataclass(frozen=True, slots=True)
class Campaign:
    """A version of a campaign, checked (document.py).  `condition` is None where it holds for every payment."""

    id: str
    version: int
    status: Status
    name: str
    benefit: Benefit
    condition: Expression | None
    limits: Limits
    funding: tuple[Share, ...]
    stacking: Stacking
    timezone: ZoneInfo
    starts_at: datetime | None
    ends_at: datetime | None
    when_exhausted: WhenExhausted = WhenExhausted.CHARGE_FULL
    on_refund: OnRefund = field(default_factory=OnRefund)
    pacing: Pacing | None = None
    coupon: CouponTerms | None = None
    slices: int = 1

    @property
    def needs_customer(self) -> bool:
        """Whether nothing is given to somebody unknown."""
        return (
            Scope.CUSTOMER in self.limits.per
            or isinstance(self.benefit, (RandomOff, CouponReward))
            or (self.coupon is not None and self.coupon.code is None)
        )
