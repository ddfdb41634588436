"""Why campaigns that a payment did not even meet do not apply to it: for quotes, never on a payment's way."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from gateway.kernel.clock import rfc3339
from promotions.campaigns.campaign import Campaign, Status
from promotions.campaigns.explaining import explain_condition
from promotions.campaigns.fields import values_of
from promotions.campaigns.matching import CampaignSet, is_within_dates
from promotions.facts import Facts
from promotions.offer import Considered, Reason

TOLD_MAX: Final = 50
"""Campaigns of one quote: each takes tens of microseconds to explain."""


def passed_over(
    campaigns: CampaignSet, facts: Facts, told: Container[str] = (), most: int = TOLD_MAX
) -> list[Considered]:
    """Why each campaign that is active or paused does not apply, but for those `told` already, by priority.

    Of the same priority the newest comes first.  At most so many are told, and none of those whose condition holds.
    """
    others = [each for each in campaigns.campaigns if each.id not in told]
    others.sort(key=lambda each: (each.stacking.priority, each.id), reverse=True)
    found: list[Considered] = []
    for campaign in others:
        if len(found) == most:
            break
        why = _why(campaign, facts)
        if why is not None:
            found.append(why)
    return found


def _why(campaign: Campaign, facts: Facts) -> Considered | None:
    if campaign.status is not Status.ACTIVE:
        return Considered(campaign.id, campaign.name, Reason.NOT_NOW, 0, f"It is {campaign.status}.")
    if not is_within_dates(campaign, facts.at):
        return Considered(campaign.id, campaign.name, Reason.NOT_NOW, 0, _dates(campaign, facts))
    detail = explain_condition(campaign.condition, values_of(facts, campaign.timezone))
    return None if detail is None else Considered(campaign.id, campaign.name, Reason.CONDITION, 0, detail)


def _dates(campaign: Campaign, facts: Facts) -> str:
    if campaign.starts_at is not None and facts.at < campaign.starts_at:
        return f"It begins at {rfc3339(campaign.starts_at)}."
    assert campaign.ends_at is not None, "it is over"
    return f"It was over at {rfc3339(campaign.ends_at)}."
