"""What pricing reads of a campaign, worked out once for each version and not for each payment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import Final

from gateway.kernel.money import Money
from promotions.campaigns.campaign import Campaign, Mode, RandomOff, Status
from promotions.pricing.benefits import DiscountOf, GivenBy, given_by, is_discount, most_of, spend_min_fen
from promotions.pricing.funding import Portion, portions_of
from promotions.pricing.uses import Counter, counters_of

PAYABLE_MIN_FEN: Final = 1
"""No channel charges less."""
KEPT_MAX: Final = 32_768

_PRIORITY_TOP: Final = 10**9
"""Above every priority (a document allows far smaller ones)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A campaign as pricing reads it.  `given` is None where it is drawn, or no discount.

    The dates are in UTC, as the payment's moment is: then comparing them asks no time zone.
    """

    campaign: Campaign
    turn: str
    """Sorts campaigns by priority, higher first, then by id."""
    told: str
    """Why another one gives nothing where this one was taken instead, for people."""
    group: str
    mode: Mode
    is_active: bool
    starts_at: datetime | None
    ends_at: datetime | None
    spend_min_fen: int
    told_below_spend: str
    """Why it gives nothing below that, for people."""
    needs_customer: bool
    is_discount: bool
    given: GivenBy | None
    random_max: DiscountOf | None
    """Of random benefits: from the goods' value to the most that is taken off it."""
    cap_of: Callable[[int], int] | None
    """From the goods' value to what all discounts of the payment may come to; None is no bound but its own."""
    counters: tuple[Counter, ...]
    funding: tuple[Portion, ...]


_given_by: Final = lru_cache(KEPT_MAX)(given_by)
_most_of: Final = lru_cache(KEPT_MAX)(most_of)
_portions_of: Final = lru_cache(KEPT_MAX)(portions_of)
"""Of thousands of campaigns many say the same: what is shared takes less memory, and is in the processor's cache."""


@lru_cache(KEPT_MAX)
def _shared(counters: tuple[Counter, ...]) -> tuple[Counter, ...]:
    """The first such tuple that there was."""
    return counters


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
    spend_fen = spend_min_fen(benefit)
    has_cap = stacking.total_max_fen is not None or stacking.total_max_percent is not None
    return Terms(
        campaign=campaign,
        turn=f"{_PRIORITY_TOP - stacking.priority:010d} {campaign.id}",
        told=f"It does not go together with “{campaign.name}”.",
        group=intern(stacking.group),
        mode=stacking.mode,
        is_active=campaign.status is Status.ACTIVE,
        starts_at=None if campaign.starts_at is None else campaign.starts_at.astimezone(UTC),
        ends_at=None if campaign.ends_at is None else campaign.ends_at.astimezone(UTC),
        spend_min_fen=spend_fen,
        told_below_spend=f"It starts at ¥{Money(spend_fen).yuan}.",
        needs_customer=campaign.needs_customer,
        is_discount=is_discount(benefit),
        given=_given_by(benefit),
        random_max=_most_of(benefit.percent_max, benefit.max_fen) if isinstance(benefit, RandomOff) else None,
        cap_of=_most_of(stacking.total_max_percent, stacking.total_max_fen) if has_cap else None,
        counters=_shared(counters_of(campaign)),
        funding=_portions_of(campaign.funding),
    )
