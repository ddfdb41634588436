"""The campaigns in force as an immutable set: which of them a payment meets, found by the index of conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from gateway.kernel.expressions import Matcher, Value
from promotions.campaigns.campaign import Campaign, Scope, Status
from promotions.campaigns.fields import HISTORY_FIELDS, values_of
from promotions.facts import Facts

RECENT_MAX: Final = 256
"""Campaigns changed since the large index was built stand in a small one; with more, all is to be built anew."""
_CHANNEL: Final = "payment.channel"
_id: Final[Callable[[Campaign], str]] = attrgetter("id")


class _Group(NamedTuple):
    """Campaigns of one time zone; `unconditional` are those that every payment meets."""

    zone: ZoneInfo
    conditional: tuple[Campaign, ...]
    matcher: Matcher
    unconditional: tuple[Campaign, ...]


@dataclass(frozen=True, slots=True)
class _Index:
    """Campaigns with an index for each time zone among them, nearly always one."""

    size: int = 0
    groups: tuple[_Group, ...] = ()

    @classmethod
    def of(cls, campaigns: Sequence[Campaign]) -> Self:
        by_zone: defaultdict[str, list[Campaign]] = defaultdict(list)
        for campaign in campaigns:
            by_zone[campaign.timezone.key].append(campaign)
        return cls(len(campaigns), tuple(_group(of_zone) for of_zone in by_zone.values()))


def _group(campaigns: Sequence[Campaign]) -> _Group:
    conditional = [(each, each.condition) for each in campaigns if each.condition is not None]
    return _Group(
        campaigns[0].timezone,
        tuple(campaign for campaign, _ in conditional),
        Matcher([condition for _, condition in conditional]),
        tuple(campaign for campaign in campaigns if campaign.condition is None),
    )


@dataclass(frozen=True, slots=True)
class CampaignSet:
    """The campaigns that were active or paused when it was made; never changed, but followed by another set.

    `by_id` has the paused ones too.  A campaign whose indexed version is no longer that of `by_id` has been superseded.
    """

    by_id: Mapping[str, Campaign] = field(default_factory=lambda: MappingProxyType({}))
    active_count: int = 0
    needs_history: bool = False
    """Whether an active campaign looks at what a customer did or took before."""
    looks_at_channel: bool = False
    """Whether the condition of an active campaign asks which channel account takes the payment."""
    _all: _Index = field(default_factory=_Index)
    _recent: _Index = field(default_factory=_Index)
    _recent_ids: frozenset[str] = frozenset()
    _asked: frozenset[str] = frozenset()
    """The fields that conditions look at."""

    def __bool__(self) -> bool:
        """Whether any campaign may give something."""
        return self.active_count > 0

    @property
    def campaigns(self) -> Sequence[Campaign]:
        """All of them, in no order."""
        return tuple(self.by_id.values())

    @property
    def coupon_campaigns(self) -> Sequence[Campaign]:
        """Those whose discount is had by a coupon only."""
        return tuple(campaign for campaign in self.by_id.values() if campaign.coupon is not None)

    def get(self, campaign_id: str) -> Campaign | None:
        """The active or paused campaign of that id."""
        return self.by_id.get(campaign_id)

    def candidates(self, facts: Facts) -> list[Campaign]:
        """The active campaigns within their dates whose condition this payment meets, by id."""
        found: list[Campaign] = []
        seen: dict[str, Mapping[str, Value | None]] = {}
        for zone, conditional, matcher, unconditional in (*self._all.groups, *self._recent.groups):
            found.extend(unconditional)
            if conditional:
                values = seen.get(zone.key) or seen.setdefault(zone.key, values_of(facts, zone, self._asked))
                found.extend([conditional[position] for position in matcher.matches(values)])
        at, current = facts.at, self.by_id
        found = [
            each
            for each in found
            if current.get(each.id) is each
            and (each.starts_at is None or each.starts_at <= at)  # `is_within_dates`, written out
            and (each.ends_at is None or at < each.ends_at)
        ]
        found.sort(key=_id)
        return found

    def replaced(self, changed: Mapping[str, Campaign | None]) -> CampaignSet:
        """The set with other versions of these campaigns; None is one that has gone.

        Takes time by the number of changes; many of them at once have all built anew.  Call it aside.
        """
        by_id = {campaign_id: each for campaign_id, each in self.by_id.items() if campaign_id not in changed}
        by_id |= {campaign_id: each for campaign_id, each in changed.items() if each is not None}
        active = _active(by_id)
        if len(changed) > RECENT_MAX:
            return _set_of(by_id, active, _Index.of(active), _Index(), frozenset())
        recent_ids = (self._recent_ids | changed.keys()) & by_id.keys()
        recent = [each for each in active if each.id in recent_ids]
        return _set_of(by_id, active, self._all, _Index.of(recent), recent_ids)

    @property
    def is_ragged(self) -> bool:
        """Whether so much has changed that it should be built anew."""
        return len(self._recent_ids) > RECENT_MAX or self._all.size > 2 * self.active_count + RECENT_MAX

    def rebuilt(self) -> CampaignSet:
        """The same set with one index: of ten thousand campaigns, tenths of a second.  Call it aside."""
        active = _active(self.by_id)
        return _set_of(dict(self.by_id), active, _Index.of(active), _Index(), frozenset())

    def changes_to(self, other: CampaignSet) -> dict[str, Campaign | None]:
        """What makes the other set of this one."""
        ids = self.by_id.keys() | other.by_id.keys()
        return {each: other.get(each) for each in ids if self.get(each) is not other.get(each)}


def _active(by_id: Mapping[str, Campaign]) -> list[Campaign]:
    return [each for each in by_id.values() if each.status is Status.ACTIVE]


def _set_of(
    by_id: dict[str, Campaign], active: Sequence[Campaign], whole: _Index, recent: _Index, recent_ids: frozenset[str]
) -> CampaignSet:
    return CampaignSet(
        by_id=MappingProxyType(by_id),
        active_count=len(active),
        needs_history=any(map(_needs_history, active)),
        looks_at_channel=any(each.condition is not None and _CHANNEL in each.condition.names for each in active),
        _all=whole,
        _recent=recent,
        _recent_ids=recent_ids,
        _asked=frozenset().union(*(group.matcher.names for group in (*whole.groups, *recent.groups))),
    )


def is_within_dates(campaign: Campaign, at: datetime) -> bool:
    """From its start on, and before its end."""
    starts_at, ends_at = campaign.starts_at, campaign.ends_at
    return (starts_at is None or starts_at <= at) and (ends_at is None or at < ends_at)


def set_of(campaigns: Iterable[Campaign]) -> CampaignSet:
    """A set of these campaigns."""
    return CampaignSet().replaced({campaign.id: campaign for campaign in campaigns})


def _needs_history(campaign: Campaign) -> bool:
    return (
        campaign.needs_customer
        or campaign.pacing is not None  # whoever was let in today stays in
        or Scope.DEVICE in campaign.limits.per
        or (campaign.condition is not None and not campaign.condition.names.isdisjoint(HISTORY_FIELDS))
    )
