"""Whether a payment may have a campaign whose condition holds, and what it would come to: a bid, or why not."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import UTC, date
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from gateway.kernel.local_time import local_date
from promotions.campaigns.campaign import Campaign, CouponTerms, RandomOff
from promotions.facts import EVER, Coupon, Facts
from promotions.offer import Considered, Reason
from promotions.pacing.gate import is_let_through
from promotions.pricing.benefits import DiscountOf, amount_off
from promotions.pricing.draws import Asked, drawn_fen
from promotions.pricing.stacking import Bid
from promotions.pricing.terms import PAYABLE_MIN_FEN, Terms, terms_of
from promotions.pricing.uses import limit_reached, taken_on

HOLD_S_MAX: Final = 300
"""How long a displayed code may hold a scarce budget (ARCHITECTURE.md "The budget pool")."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Circumstances(NamedTuple):
    """What decides beside the payment's facts.

    `excluded` are campaigns that have refused already, and why; `shares` the share of customers that paced campaigns
    let through (those that are missing: everybody); `scarce` the campaigns whose budget is nearly gone.
    """

    excluded: Mapping[str, Reason] = _NOTHING
    shares: Mapping[str, float] = _NOTHING
    scarce: Container[str] = frozenset()


class Entitling:
    """Judges campaigns for one payment.  `secret` is the key of the random draws."""

    __slots__ = ("_around", "_at", "_cap_fen", "_day", "_facts", "_secret", "_zone", "coupon_ids")

    def __init__(self, facts: Facts, secret: bytes, around: Circumstances) -> None:
        self._facts = facts
        self._at = facts.at if facts.at.tzinfo is UTC else facts.at.astimezone(UTC)
        self._zone: ZoneInfo | None = None
        self._day = EVER
        self._cap_fen = facts.amount_fen - PAYABLE_MIN_FEN
        self._secret = secret
        self._around = around
        self.coupon_ids: dict[str, str] = {}
        """The customer's coupons that would be taken, by campaign."""

    def judge(self, campaign: Campaign) -> Bid | Considered:
        """What the campaign offers this payment, or why nothing."""
        facts, excluded, terms = self._facts, self._around.excluded, terms_of(campaign)
        if excluded and campaign.id in excluded:
            return _refused(campaign, excluded[campaign.id])
        if not (
            terms.is_active
            and (terms.starts_at is None or terms.starts_at <= self._at)
            and (terms.ends_at is None or self._at < terms.ends_at)
        ):
            return _refused(campaign, Reason.NOT_NOW)
        if facts.amount_fen < terms.spend_min_fen:
            return _refused(campaign, Reason.BELOW_SPEND, terms.told_below_spend)
        if terms.needs_customer and (facts.customer is None or facts.history is None):
            return _refused(campaign, Reason.CUSTOMER_UNKNOWN, "The till has to name the customer.")
        if campaign.coupon is not None:
            found = _coupon(campaign.id, campaign.coupon, facts)
            if isinstance(found, str):
                return _refused(campaign, Reason.COUPON_MISSING, found)
            if found is not None:
                self.coupon_ids[campaign.id] = found.id
        return self._bid(terms)

    def day_of(self, campaign: Campaign) -> date:
        """The payment's day in the campaign's time zone, nearly always that of the campaign before it."""
        if campaign.timezone is not self._zone:
            self._zone, self._day = campaign.timezone, local_date(self._at, campaign.timezone)
        return self._day

    def _bid(self, terms: Terms) -> Bid | Considered:
        """Of a campaign that is for payments like this one: what it gives, unless its limits or its pace forbid."""
        campaign, amount_fen = terms.campaign, self._facts.amount_fen
        cap_fen = self._cap_fen if terms.cap_of is None else min(self._cap_fen, terms.cap_of(amount_fen))
        discount_of: DiscountOf | None = None
        alone_fen = 0
        if terms.is_discount:
            discount_of = self._drawn(terms) if terms.given is None else terms.given(amount_fen)
            off_fen = discount_of(amount_fen)
            alone_fen = off_fen if off_fen < cap_fen else cap_fen  # noqa: FURB136  a third of min()'s time
            if alone_fen <= 0:
                return _refused(campaign, Reason.NOTHING_LEFT, "It takes less than a fen off this amount.")
        if terms.counters:
            limit = limit_reached(campaign.id, terms.counters, self._facts, self.day_of(campaign), alone_fen)
            if limit is not None:
                return _refused(campaign, Reason.LIMIT_REACHED, limit)
        if self._facts.expires_in_s > HOLD_S_MAX and campaign.id in self._around.scarce:
            detail = f"Little of its budget is left: codes of at most {HOLD_S_MAX} s may hold it."
            return _refused(campaign, Reason.HELD_TOO_LONG, detail)
        if campaign.pacing is not None and not self._is_let_through(campaign, self.day_of(campaign)):
            return _refused(campaign, Reason.THROTTLED, "Its budget is spread over the day.")
        return Bid(terms, discount_of, alone_fen, cap_fen)

    def _drawn(self, terms: Terms) -> DiscountOf:
        """The draw is numbered by how often the customer has had the campaign on its day."""
        facts, campaign, benefit = self._facts, terms.campaign, terms.campaign.benefit
        assert isinstance(benefit, RandomOff), "any other discount is given"
        assert terms.random_max is not None, "random benefits have one"
        assert facts.customer is not None, "a random benefit needs a customer"
        day = self.day_of(campaign)
        asked = Asked(campaign.id, facts.customer, day, taken_on(campaign.id, facts, day).times)
        return amount_off(min(drawn_fen(benefit, self._secret, asked), terms.random_max(facts.amount_fen)))

    def _is_let_through(self, campaign: Campaign, day: date) -> bool:
        """A customer who has had the campaign today stays in, however its share has fallen since."""
        share = self._around.shares.get(campaign.id, 1.0)
        if share >= 1.0 or taken_on(campaign.id, self._facts, day).times:
            return True
        return is_let_through(campaign.id, day, self._facts.customer or self._facts.order_key, share)


def _refused(campaign: Campaign, reason: Reason, detail: str | None = None) -> Considered:
    return Considered(campaign.id, campaign.name, reason, 0, detail)


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
