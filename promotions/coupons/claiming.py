"""A customer claims a coupon (领券): answers that need no database first, then one row in the group commit of claims.

At a flash sale (秒杀) nearly all who come are refused, before its second or after the last coupon: those answers are
given here.  Who comes in between is served by PostgreSQL in order of arrival in this process.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.database.group_commit import GroupCommit
from gateway.kernel.ids import new_id
from promotions.campaigns.campaign import Status
from promotions.coupons.campaigns import CouponCampaign, CouponCampaigns
from promotions.coupons.coupon import PREFIX
from promotions.coupons.taking import Receiver, Refusal, TakeResult, TakeRow

_CLOCK_ERROR_MAX: Final = timedelta(seconds=2)
"""Nearer to the set second than this the database says whether it has come: the clock here is learnt from it."""
_TRIES_MAX: Final = 4
"""A campaign that is edited faster than it can be read is given up."""
_SOLD_OUT_MAX: Final = 10_000


class ClaimRefusal(StrEnum):
    """Why there is no coupon for a claim."""

    NO_COUPONS = "no_coupons"
    """No such campaign, or it is a draft, or its discount needs no coupon of the customer's own."""
    NOT_CLAIMABLE = "not_claimable"
    """Its coupons are issued or granted only."""
    WRONG_CARD = "wrong_card"
    """They are bound to other banks' cards."""
    PAUSED = "paused"
    NOT_OPEN_YET = "not_open_yet"
    OVER = "over"
    SOLD_OUT = "sold_out"
    LIMIT_REACHED = "limit_reached"
    KEY_REUSED = "key_reused"
    """The customer's key belongs to a claim of another campaign."""
    BUSY = "busy"
    """The campaign is being edited just now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants a coupon of which campaign.  `card_bin` is that of the card at hand, where it is known."""

    campaign_id: str
    receiver: Receiver
    key: str | None = None
    card_bin: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The coupon's id; `replayed` where an earlier claim under the same key got it."""

    coupon_id: str
    created_at: datetime
    expires_at: datetime | None
    campaign: CouponCampaign
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """No coupon.  `opens_in_s` is how long it is until the campaign's coupons can be claimed, `opens_at` when."""

    reason: ClaimRefusal
    opens_at: datetime | None = None
    opens_in_s: float = 0.0


_NOT_ACTIVE: Final = {
    Status.DRAFT: ClaimRefusal.NO_COUPONS,
    Status.PAUSED: ClaimRefusal.PAUSED,
    Status.ENDED: ClaimRefusal.OVER,
}
_REFUSALS: Final = {
    Refusal.OVER: ClaimRefusal.OVER,
    Refusal.SOLD_OUT: ClaimRefusal.SOLD_OUT,
    Refusal.LIMIT: ClaimRefusal.LIMIT_REACHED,
}


class Claiming:
    """One per process."""

    def __init__(self, campaigns: CouponCampaigns, takes: GroupCommit[TakeRow, TakeResult]) -> None:
        self._campaigns = campaigns
        self._clock = campaigns.clock
        self._takes = takes
        self._sold_out: dict[str, int] = {}

    async def claim(self, claim: Claim) -> Claimed | Refused:
        """A coupon or the reason why not.  Raises Unavailable, and what the database raises."""
        for _ in range(_TRIES_MAX):
            campaign = await self._campaigns.find(claim.campaign_id)
            if campaign is None:
                return Refused(ClaimRefusal.NO_COUPONS)
            refused = self._refused_early(claim, campaign)
            if refused is not None:
                return refused
            row = TakeRow.claimed(new_id(PREFIX), campaign, claim.receiver, claim.key)
            result = await self._takes.submit(row)
            self._clock.heard(result.at)
            if result.refusal is not Refusal.CHANGED:
                return self._settled(row, campaign, result)
            self._campaigns.forget_one(campaign)
        return Refused(ClaimRefusal.BUSY)

    def _refused_early(self, claim: Claim, campaign: CouponCampaign) -> Refused | None:
        """What needs no look at the database.  A claim with a key may be a repetition: only its row tells."""
        terms, now = campaign.terms, self._clock.now()
        if campaign.status is not Status.ACTIVE:
            return Refused(_NOT_ACTIVE[campaign.status])
        if not terms.claimable:
            return Refused(ClaimRefusal.NOT_CLAIMABLE)
        if claim.card_bin is not None and not fits_card(terms.bins, claim.card_bin):
            return Refused(ClaimRefusal.WRONG_CARD)
        if terms.claim_from is not None and terms.claim_from - now > _CLOCK_ERROR_MAX:
            return _not_open_yet(terms.claim_from, now)
        if claim.key is None and self._sold_out.get(campaign.id) == campaign.version:
            return Refused(ClaimRefusal.SOLD_OUT)
        return None

    def _settled(self, row: TakeRow, campaign: CouponCampaign, result: TakeResult) -> Claimed | Refused:
        match result.refusal:
            case Refusal.NOT_OPEN_YET:
                assert row.opens is not None, "a sale without a time to open is open"
                return _not_open_yet(row.opens, result.at)
            case Refusal.SOLD_OUT:
                self._note_sold_out(campaign)
        if result.refusal is not None:
            return Refused(_REFUSALS[result.refusal])
        if result.campaign_id != row.campaign_id:
            return Refused(ClaimRefusal.KEY_REUSED)
        assert result.id is not None
        assert result.created_at is not None
        # A row that was sent twice, for its first commit was not heard of, is no repetition of the customer's.
        replayed = result.replayed and result.id != row.id
        return Claimed(result.id, result.created_at, result.expires_at, campaign, replayed)

    def _note_sold_out(self, campaign: CouponCampaign) -> None:
        """Until the campaign's next version nothing comes back: what is voided or given back stays counted."""
        if len(self._sold_out) >= _SOLD_OUT_MAX:
            self._sold_out.clear()
        self._sold_out[campaign.id] = campaign.version


def fits_card(bins: tuple[str, ...], card_bin: str) -> bool:
    """Whether a card, of which 6 to 8 digits are known, is one of those that coupons are bound to (none: any)."""
    return not bins or any(card_bin.startswith(each) or each.startswith(card_bin) for each in bins)


def _not_open_yet(opens_at: datetime, now: datetime) -> Refused:
    return Refused(ClaimRefusal.NOT_OPEN_YET, opens_at, (opens_at - now).total_seconds())
