"""What pricing reads of a campaign, worked out once for each version and not for each payment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import Final, TypeAlias

from promotions.campaigns.campaign import Campaign, Mode, RandomOff, Status
from promotions.pricing.benefits import GivenBy, given_by, is_discount, percent_of, spend_min_fen
from promotions.pricing.funding import Portion, portions_of
from promotions.pricing.uses import Counter, counters_of

PAYABLE_MIN_FEN: Final = 1
"""No channel charges less."""
KEPT_MAX: Final = 32_768

Turn: TypeAlias = tuple[int, str]
"""Sorts campaigns by priority, higher first, then by id."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A campaign as pricing reads it.  `given` is None where it is drawn (`random`), or no discount.

    The dates are in UTC, as the payment's moment is: then comparing them asks no time zone.
    """

    campaign: Campaign
    turn: Turn
    group: str
    mode: Mode
    is_active: bool
    starts_at: datetime | None
    ends_at: datetime | None
    spend_min_fen: int
    needs_customer: bool
    is_discount: bool
    given: GivenBy | None
    random: RandomOff | None
    has_cap: bool
    counters: tuple[Counter, ...]
    funding: tuple[Portion, ...]


_kept: Final[dict[int, Terms]] = {}
"""By the identity of the campaign, which its terms keep alive."""


def cap_of(campaign: Campaign, amount_fen: int) -> int:
    """What all discounts together may come to beside this campaign; the customer pays at least a fen."""
    stacking, cap_fen = campaign.stacking, amount_fen - PAYABLE_MIN_FEN
    if stacking.total_max_fen is not None:
        cap_fen = min(cap_fen, stacking.total_max_fen)
    if stacking.total_max_percent is not None:
        cap_fen = min(cap_fen, percent_of(stacking.total_max_percent, amount_fen))
    return cap_fen


def terms_of(campaign: Campaign) -> Terms:
    """The terms of a campaign, remembered; more than are ever in force are not kept."""
    terms = _kept.get(id(campaign))
    if terms is None:
        if len(_kept) >= KEPT_MAX:
            _kept.clear()
        terms = _kept[id(campaign)] = _terms(campaign)
    return terms


def _terms(campaign: Campaign) -> Terms:
    benefit, stacking = campaign.benefit, campaign.stacking
    return Terms(
        campaign=campaign,
        turn=(-stacking.priority, campaign.id),
        group=intern(stacking.group),
        mode=stacking.mode,
        is_active=campaign.status is Status.ACTIVE,
        starts_at=None if campaign.starts_at is None else campaign.starts_at.astimezone(UTC),
        ends_at=None if campaign.ends_at is None else campaign.ends_at.astimezone(UTC),
        spend_min_fen=spend_min_fen(benefit),
        needs_customer=campaign.needs_customer,
        is_discount=is_discount(benefit),
        given=given_by(benefit),
        random=benefit if isinstance(benefit, RandomOff) else None,
        has_cap=stacking.total_max_fen is not None or stacking.total_max_percent is not None,
        counters=counters_of(campaign),
        funding=portions_of(campaign.funding),
    )
