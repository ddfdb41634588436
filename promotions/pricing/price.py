"""The price of a payment: the best legal combination of the campaigns it may have, and why not the others.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.kernel.money import Money
from promotions.campaigns.campaign import CAMPAIGNS_MAX, Campaign
from promotions.facts import Facts
from promotions.offer import Applied, Considered, Offer, Reason
from promotions.pricing.entitlement import Circumstances, Entitled, Entitling
from promotions.pricing.funding import split
from promotions.pricing.stacking import Bid, Taken, clash, combine
from promotions.pricing.uses import uses_of

_ORDINARY: Final = Circumstances()


def price(
    candidates: Sequence[Campaign], facts: Facts, secret: bytes, circumstances: Circumstances = _ORDINARY
) -> Offer:
    """The offer for a payment, of the campaigns whose conditions hold for it.

    The same arguments give the same offer, in whatever order the campaigns come.  `secret` (16 to 64 bytes) is the key
    of random draws.  What is considered stands with the applied ones first, in their order.
    """
    amount = Money(facts.amount_fen)
    if not candidates:
        return Offer.full_price(amount)
    entitling = Entitling(facts, secret, circumstances)
    judged = [entitling.judge(campaign) for campaign in candidates]
    entitled = {each.bid.campaign.id: each for each in judged if isinstance(each, Entitled)}
    refused = [each for each in judged if isinstance(each, Considered)]
    taken = combine([each.bid for each in entitled.values()], facts.amount_fen) if entitled else ()
    applied = tuple([_applied(entitled.pop(each.bid.campaign.id), each.discount_fen, facts) for each in taken])
    reasons = _Reasons(taken)
    considered = (
        *[Considered(each.campaign.id, each.campaign.name, Reason.APPLIED, each.discount_fen) for each in applied],
        *[reasons.why_not(each.bid) for each in entitled.values()],
        *refused,
    )
    payable = Money(facts.amount_fen - sum(each.discount_fen for each in applied))
    return Offer(amount, payable, applied, considered)


def _applied(entitled: Entitled, discount_fen: int, facts: Facts) -> Applied:
    campaign = entitled.bid.campaign
    return Applied(
        campaign=campaign,
        discount_fen=discount_fen,
        funding=split(discount_fen, campaign.funding) if discount_fen else (),
        day=entitled.day,
        uses=uses_of(campaign, facts, entitled.day),
        coupon_id=entitled.coupon_id,
        is_new_customer=None if facts.history is None else facts.history.orders == 0,
    )


class _Reasons:
    """Why bids are not in the combination that was taken."""

    __slots__ = ("_of_group", "_taken", "_total_fen")

    def __init__(self, taken: Sequence[Taken]) -> None:
        self._taken = taken
        self._total_fen = sum([each.discount_fen for each in taken])
        self._of_group = {each.bid.campaign.stacking.group: each.bid.campaign for each in reversed(taken)}

    def why_not(self, bid: Bid) -> Considered:
        """One reason: others that it does not go with, the number of campaigns, or nothing left for it."""
        campaign = bid.campaign
        reason, detail = Reason.BETTER_OFFER, ""
        other = self._instead_of(campaign) if self._taken else None
        if other is not None:
            detail = f"It does not go together with “{other.name}”."
        elif len(self._taken) == CAMPAIGNS_MAX:
            detail = f"A payment draws from {CAMPAIGNS_MAX} campaigns at most."
        elif bid.cap_fen < self._total_fen:
            detail = f"With it all discounts would be ¥{Money(bid.cap_fen).yuan} at most."
        else:
            reason, detail = Reason.NOTHING_LEFT, "What is left to pay, or a cap on the total, leaves nothing for it."
        return Considered(campaign.id, campaign.name, reason, 0, detail)

    def _instead_of(self, campaign: Campaign) -> Campaign | None:
        """A campaign that was taken and that this one never goes together with: of its group, or an exclusive one."""
        other = self._of_group.get(campaign.stacking.group)
        if other is not None and clash(campaign, other):
            return other
        first = self._taken[0].bid.campaign
        return first if clash(campaign, first) else None
