"""The price of a payment: the best legal combination of the campaigns it may have, and why not the others.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.kernel.money import Money
from promotions.campaigns.campaign import CAMPAIGNS_MAX, Campaign, Mode
from promotions.facts import Facts
from promotions.offer import Applied, Considered, Offer, Reason
from promotions.pricing.entitlement import Circumstances, Entitling
from promotions.pricing.funding import split
from promotions.pricing.stacking import Bid, Taken, combine
from promotions.pricing.terms import Terms
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
    bids: list[Bid] = []
    refused: list[Considered] = []
    for campaign in candidates:
        judged = entitling.judge(campaign)
        if isinstance(judged, Bid):
            bids.append(judged)
        else:
            refused.append(judged)
    taken = combine(bids, facts.amount_fen)
    considered = (*map(_taken, taken), *_left_out(bids, taken), *refused)
    applied = tuple([_applied(each, entitling, facts) for each in taken])
    payable = Money(facts.amount_fen - sum([each.discount_fen for each in taken])) if taken else amount
    return Offer(amount, payable, applied, considered)


def _applied(taken: Taken, entitling: Entitling, facts: Facts) -> Applied:
    terms = taken.bid.terms
    campaign = terms.campaign
    day = entitling.day_of(campaign)
    return Applied(
        campaign=campaign,
        discount_fen=taken.discount_fen,
        funding=split(taken.discount_fen, terms.funding),
        day=day,
        uses=uses_of(terms.counters, facts, day),
        coupon_id=entitling.coupon_ids.get(campaign.id),
        fee_off_fen=0,
        is_new_customer=None if facts.history is None else facts.history.orders == 0,
    )


def _taken(taken: Taken) -> Considered:
    campaign = taken.bid.terms.campaign
    return Considered(campaign.id, campaign.name, Reason.APPLIED, taken.discount_fen)


def _left_out(bids: Sequence[Bid], taken: Sequence[Taken]) -> list[Considered]:
    """Why the other bids are not in the combination that was taken."""
    if len(bids) == len(taken):
        return []
    if len(taken) == 1 and taken[0].bid.terms.mode is Mode.BEST:
        return _beaten(bids, taken[0])
    chosen = {each.bid.terms.turn for each in taken}
    why_not = _Reasons(taken).why_not
    return [why_not(bid) for bid in bids if bid.terms.turn not in chosen]


def _beaten(bids: Sequence[Bid], best: Taken) -> list[Considered]:
    """The same where one `best` campaign was taken, as nearly always: nothing of its group goes together with it."""
    group, told = best.bid.terms.group, best.bid.terms.told
    others = [bid for bid in bids if bid is not best.bid]
    return [
        Considered(bid.terms.campaign.id, bid.terms.campaign.name, Reason.BETTER_OFFER, 0, told)
        if bid.terms.group == group
        else _Reasons((best,)).why_not(bid)
        for bid in others
    ]


class _Reasons:
    """Why a bid is not in the combination that was taken."""

    __slots__ = ("_exclusive", "_is_full", "_of_group", "_total_fen")

    def __init__(self, taken: Sequence[Taken]) -> None:
        self._total_fen = sum([each.discount_fen for each in taken])
        self._is_full = len(taken) == CAMPAIGNS_MAX
        self._of_group = {each.bid.terms.group: each.bid.terms for each in taken}
        first = taken[0].bid.terms if taken else None
        self._exclusive = first if first is not None and first.mode is Mode.EXCLUSIVE else None

    def why_not(self, bid: Bid) -> Considered:
        """One reason: others that it does not go with, the number of campaigns, or nothing left for it."""
        campaign, reason = bid.terms.campaign, Reason.BETTER_OFFER
        other = self._instead_of(bid.terms)
        if other is not None:
            detail = other.told
        elif self._is_full:
            detail = f"A payment draws from {CAMPAIGNS_MAX} campaigns at most."
        elif bid.cap_fen < self._total_fen:
            detail = f"With it all discounts would be ¥{Money(bid.cap_fen).yuan} at most."
        else:
            reason, detail = Reason.NOTHING_LEFT, "What is left to pay, or a cap on the total, leaves nothing for it."
        return Considered(campaign.id, campaign.name, reason, 0, detail)

    def _instead_of(self, terms: Terms) -> Terms | None:
        """A campaign that was taken and that this one never goes together with: an exclusive one, or of its group."""
        if self._exclusive is not None:
            return self._exclusive
        other = self._of_group.get(terms.group)
        if terms.mode is Mode.EXCLUSIVE:
            return other or next(iter(self._of_group.values()), None)
        is_cascade = terms.mode is Mode.CASCADING and (other is None or other.mode is Mode.CASCADING)
        return None if is_cascade else other
