"""Reads a campaign from JSON and checks it: every problem at once, each with its path.

parse    what a manager writes: read, and checked that it could ever apply (checking.py)
read     what was checked when it was written: read only
to_json  a campaign's normalised document: what `parse` reads again
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from gateway.kernel.clock import utc_now
from gateway.kernel.documents import Problem, Problems
from gateway.kernel.expressions import Expression, ExpressionError
from promotions.campaigns.benefits import read_benefit
from promotions.campaigns.campaign import Benefit, Campaign, CouponReward, FixedPrice, Status, WhenExhausted
from promotions.campaigns.checking import check
from promotions.campaigns.fields import condition
from promotions.campaigns.reading import CampaignError, CampaignReader
from promotions.campaigns.terms import (
    read_coupon,
    read_funding,
    read_limits,
    read_on_refund,
    read_pacing,
    read_stacking,
)
from promotions.campaigns.writing import to_json

__all__ = ["CampaignError", "parse", "read", "to_json"]

NAME_LENGTH_MAX: Final = 80
CONDITION_LENGTH_MAX: Final = 8_192
SLICES_MAX: Final = 64
TIMEZONE: Final = "Asia/Shanghai"
FIELDS: Final = (
    "name",
    "benefit",
    "condition",
    "limits",
    "on_refund",
    "funding",
    "stacking",
    "starts_at",
    "ends_at",
    "timezone",
    "when_exhausted",
    "pacing",
    "coupon",
    "slices",
)
"""In the order in which problems are told."""
_KNOWN: Final = frozenset(FIELDS)


def parse(
    given: object,
    *,
    campaign_id: str = "",
    version: int = 1,
    status: Status = Status.DRAFT,
    now: datetime | None = None,
) -> Campaign:
    """The campaign in a JSON value, checked.

    A campaign that could never apply from `now` (this machine's time, where it is left out) on is refused.  Raises
    CampaignError with all problems.  Takes milliseconds, and for odd conditions tenths of a second: call it aside.
    """
    problems = Problems()
    campaign = _read(given, problems, campaign_id, version, status)
    check(campaign, problems, utc_now() if now is None else now)
    _raise(problems)
    return campaign


def read(given: object, *, campaign_id: str, version: int, status: Status) -> Campaign:
    """A campaign that was checked when it was written.  Raises CampaignError where it cannot be read at all."""
    problems = Problems()
    campaign = _read(given, problems, campaign_id, version, status)
    _raise(problems)
    return campaign


def _raise(problems: Problems) -> None:
    if problems.found:
        raise CampaignError(tuple(sorted(problems.found, key=_place)))


def _place(problem: Problem) -> int:
    """Unknown fields come first."""
    field = problem.path.partition(".")[0]
    return FIELDS.index(field) if field in _KNOWN else -1


def _read(given: object, problems: Problems, campaign_id: str, version: int, status: Status) -> Campaign:
    """What could not be read has some value in its place, for the document is refused then."""
    if not isinstance(given, dict):
        raise CampaignError((Problem("body", "a campaign is a JSON object"),))
    reader = CampaignReader(given, "", problems)
    reader.refuse_unknown(_KNOWN)
    benefit = _benefit(reader)
    return Campaign(
        id=campaign_id,
        version=version,
        status=status,
        name=_name(reader),
        benefit=_UNREADABLE if benefit is None else benefit,
        condition=_condition(reader, problems),
        limits=read_limits(reader),
        funding=read_funding(reader, required=not isinstance(benefit, CouponReward)),
        stacking=read_stacking(reader),
        timezone=_timezone(reader),
        starts_at=reader.moment("starts_at"),
        ends_at=reader.moment("ends_at"),
        when_exhausted=reader.choice("when_exhausted", WhenExhausted.CHARGE_FULL),
        on_refund=read_on_refund(reader),
        pacing=read_pacing(reader),
        coupon=read_coupon(reader),
        slices=reader.whole("slices", 1, SLICES_MAX, 1),
    )


_UNREADABLE: Final = FixedPrice(price_fen=1)


def _benefit(reader: CampaignReader) -> Benefit | None:
    given = reader.value("benefit")
    if not isinstance(given, dict):
        reader.refuse("benefit", "is a JSON object with a type" if reader.has("benefit") else "is required")
        return None
    return read_benefit(reader.within("benefit", given))


def _name(reader: CampaignReader) -> str:
    name = reader.text("name", NAME_LENGTH_MAX, required=True)
    if not name.isprintable():
        reader.refuse("name", "stands on one line")
    return name


def _condition(reader: CampaignReader, problems: Problems) -> Expression | None:
    """None, too, where there is none: it holds for every payment."""
    if not reader.has("condition"):
        return None
    text = reader.text("condition", CONDITION_LENGTH_MAX, required=True)
    if not text:
        return None
    try:
        return condition(text)
    except ExpressionError as error:
        problems.add(Problem("condition", error.message, error.line, error.column, error.hint))
        return None


def _timezone(reader: CampaignReader) -> ZoneInfo:
    key = reader.value("timezone")
    if key is None:
        return ZoneInfo(TIMEZONE)
    if isinstance(key, str) and key in _zones():
        return ZoneInfo(key)
    reader.refuse("timezone", "is a time zone of the IANA database", f"such as {TIMEZONE}")
    return ZoneInfo(TIMEZONE)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zone for zone in available_timezones() if zone[0].isupper())
