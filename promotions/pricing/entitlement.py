"""Whether a payment may have a campaign whose condition holds, and what it would come to: a bid, or why not."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from gateway.kernel.money import Money
from promotions.campaigns.campaign import Campaign, CouponTerms, RandomOff, Status
from promotions.facts import Coupon, Facts
from promotions.offer import Considered, Reason
from promotions.pacing.gate import is_let_through
from promotions.pricing.benefits import discount_of, spend_min_fen
from promotions.pricing.draws import Asked, drawn_fen
from promotions.pricing.stacking import Bid
from promotions.pricing.uses import limit_reached, taken_on

HOLD_S_MAX: Final = 300
"""How long a displayed code may hold a scarce budget (ARCHITECTURE.md "The budget pool")."""


class Entitled(NamedTuple):
    """A campaign that the payment may have: its bid, its day, and the coupon that it takes."""

    bid: Bid
    day: date
    coupon_id: str | None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides beside the payment's facts.

    `excluded` are campaigns that have refused already, and why; `shares` the share of customers that paced campaigns
    let through (those that are missing: everybody); `scarce` the campaigns whose budget is nearly gone.
    """

    excluded: Mapping[str, Reason] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    scarce: Container[str] = frozenset()


class Entitling:
    """Judges campaigns for one payment.  `secret` is the key of the random draws."""

    __slots__ = ("_circumstances", "_days", "_facts", "_secret")

    def __init__(self, facts: Facts, secret: bytes, circumstances: Circumstances) -> None:
        self._facts = facts
        self._secret = secret
        self._circumstances = circumstances
        self._days: dict[ZoneInfo, date] = {}

    def judge(self, campaign: Campaign) -> Entitled | Considered:
        """What the campaign offers this payment, or why nothing."""
        facts, around = self._facts, self._circumstances
        if around.excluded and campaign.id in around.excluded:
            return _refused(campaign, around.excluded[campaign.id])
        if not _is_on(campaign, facts):
            return _refused(campaign, Reason.NOT_NOW)
        spend_fen = spend_min_fen(campaign.benefit)
        if facts.amount_fen < spend_fen:
            return _refused(campaign, Reason.BELOW_SPEND, f"It starts at ¥{Money(spend_fen).yuan}.")
        if (facts.customer is None or facts.history is None) and campaign.needs_customer:
            return _refused(campaign, Reason.CUSTOMER_UNKNOWN, "The till has to name the customer.")
        coupon_id = None
        if campaign.coupon is not None:
            found = _coupon(campaign.id, campaign.coupon, facts)
            if isinstance(found, str):
                return _refused(campaign, Reason.COUPON_MISSING, found)
            coupon_id = None if found is None else found.id
        return self._open(campaign, coupon_id)

    def _open(self, campaign: Campaign, coupon_id: str | None) -> Entitled | Considered:
        """Of a campaign for this payment: its limits, its pace, its discount."""
        facts = self._facts
        day = self._day(campaign.timezone)
        bid = self._bid(campaign, day)
        if campaign.limits.per:
            limit = limit_reached(campaign, facts, day, bid.alone_fen)
            if limit is not None:
                return _refused(campaign, Reason.LIMIT_REACHED, limit)
        if facts.expires_in_s > HOLD_S_MAX and campaign.id in self._circumstances.scarce:
            detail = f"Little of its budget is left: codes of at most {HOLD_S_MAX} s may hold it."
            return _refused(campaign, Reason.HELD_TOO_LONG, detail)
        if campaign.pacing is not None and not self._is_let_through(campaign, day):
            return _refused(campaign, Reason.THROTTLED, "Its budget is spread over the day.")
        if bid.discount_of is not None and bid.alone_fen <= 0:
            return _refused(campaign, Reason.NOTHING_LEFT, "It would come to less than a fen.")
        return Entitled(bid, day, coupon_id)

    def _bid(self, campaign: Campaign, day: date) -> Bid:
        facts, drawn = self._facts, None
        if isinstance(campaign.benefit, RandomOff):
            assert facts.customer is not None, "a random benefit needs a customer"
            asked = Asked(campaign.id, facts.customer, day, taken_on(campaign.id, facts, day).count)
            drawn = drawn_fen(campaign.benefit, self._secret, asked)
        return Bid.of(campaign, facts.amount_fen, discount_of(campaign.benefit, facts.amount_fen, drawn))

    def _is_let_through(self, campaign: Campaign, day: date) -> bool:
        """A customer who has had the campaign today stays in, however its share has fallen since."""
        share = self._circumstances.shares.get(campaign.id, 1.0)
        if share >= 1.0 or taken_on(campaign.id, self._facts, day).count:
            return True
        return is_let_through(campaign.id, day, self._facts.customer or self._facts.order_key, share)

    def _day(self, timezone: ZoneInfo) -> date:
        day = self._days.get(timezone)
        if day is None:
            day = self._days[timezone] = self._facts.at.astimezone(timezone).date()
        return day


def _refused(campaign: Campaign, reason: Reason, detail: str | None = None) -> Considered:
    return Considered(campaign.id, campaign.name, reason, 0, detail)


def _is_on(campaign: Campaign, facts: Facts) -> bool:
    return (
        campaign.status is Status.ACTIVE
        and (campaign.starts_at is None or campaign.starts_at <= facts.at)
        and (campaign.ends_at is None or facts.at < campaign.ends_at)
    )


def _coupon(campaign_id: str, terms: CouponTerms, facts: Facts) -> Coupon | str | None:
    """The customer's own coupon to take, or None where a code was typed; a sentence where there is neither."""
    if terms.bins and not (facts.card_bin is not None and facts.card_bin.startswith(terms.bins)):
        return "The coupon is bound to cards of its bank."
    if terms.code is not None:
        return None if terms.code in facts.coupons else "Its code was not given."
    held = () if facts.history is None else facts.history.coupons
    usable = [
        coupon
        for coupon in held
        if coupon.campaign_id == campaign_id and (coupon.expires_at is None or facts.at < coupon.expires_at)
    ]
    if not usable:
        return "The customer holds no coupon of it that can be used."
    return min(usable, key=lambda coupon: _turn(coupon, facts))


def _turn(coupon: Coupon, facts: Facts) -> tuple[bool, float, str]:
    """Those that the till named go first, then the one that expires first."""
    expires = float("inf") if coupon.expires_at is None else coupon.expires_at.timestamp()
    return coupon.id not in facts.coupons, expires, coupon.id
