"""What pricing reads of a campaign, worked out once for each version and not for each payment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from promotions.campaigns.campaign import Campaign, RandomOff, Status
from promotions.pricing.benefits import GivenBy, given_by, is_discount, spend_min_fen
from promotions.pricing.funding import Portion, portions_of
from promotions.pricing.stacking import Turn, turn_of
from promotions.pricing.uses import Counter, counters_of

KEPT_MAX: Final = 32_768


@dataclass(frozen=True, slots=True)
class Terms:
    """A campaign as pricing reads it.  `given` is None where it is drawn (`random`), or no discount.

    The dates are in UTC, as the payment's moment is: then comparing them asks no time zone.
    """

    campaign: Campaign
    turn: Turn
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
        turn=turn_of(campaign),
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
