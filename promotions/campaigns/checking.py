"""Checks that a campaign could ever apply, and that its money goes together; what could not be read is left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple

from gateway.kernel.documents import Problem, Problems
from gateway.kernel.money import AMOUNT_FEN_MAX
from promotions.campaigns.campaign import (
    AmountOff,
    Benefit,
    Campaign,
    CouponReward,
    FeeOff,
    FixedPrice,
    Limits,
    PercentOff,
    RandomOff,
    Scope,
    Status,
)
from promotions.campaigns.possibility import Amounts, Situation, amounts_of

_HUNDRED: Final = Decimal(100)
_DATES: Final = frozenset({"starts_at", "ends_at"})
_OF_CONDITIONS: Final = _DATES | {"benefit", "condition", "timezone", "coupon"}
"""What a condition is held against."""


def check(campaign: Campaign, problems: Problems, now: datetime) -> None:
    """Note what contradicts itself in a campaign that was read with these problems."""
    wrong = {problem.path.partition(".")[0] for problem in problems.found}
    dates = [] if wrong & _DATES else list(_dates(campaign, now))
    found = list(dates)
    if not wrong & {"coupon", "ends_at"} and campaign.coupon is not None:
        found.extend(_coupon(campaign, now))
    if not wrong & {"pacing", "limits"}:
        found.extend(_pacing(campaign))
    if "benefit" not in wrong:
        found.extend(_benefit(campaign))
    if not dates and not wrong & _OF_CONDITIONS:
        found.extend(_applies(campaign, now, with_limits=not wrong & {"limits", "stacking"}))
    for problem in found:
        problems.add(problem)


def _dates(campaign: Campaign, now: datetime) -> Iterator[Problem]:
    starts_at, ends_at = campaign.starts_at, campaign.ends_at
    if ends_at is None:
        return
    if starts_at is not None and ends_at <= starts_at:
        yield Problem("ends_at", "is not after “starts_at”")
    elif ends_at <= now:
        yield Problem("ends_at", "has passed already")


def _coupon(campaign: Campaign, now: datetime) -> Iterator[Problem]:
    terms = campaign.coupon
    assert terms is not None
    opens, closes = terms.claim_from, terms.claim_until
    if opens is not None and closes is not None and closes <= opens:
        yield Problem("coupon.claim_until", "is not after “claim_from”")
    elif closes is not None and closes <= now and campaign.status is Status.DRAFT:
        yield Problem("coupon.claim_until", "has passed already: nobody could claim one")
    if opens is not None and campaign.ends_at is not None and opens >= campaign.ends_at:
        yield Problem("coupon.claim_from", "is not before “ends_at”: whoever claimed one could not use it")


def _pacing(campaign: Campaign) -> Iterator[Problem]:
    limits = campaign.limits
    if campaign.pacing is not None and limits.budget_fen is None and limits.budget_per_day_fen is None:
        yield Problem("pacing", "there is no budget to be spread", hint="set limits.budget_per_day")


def _benefit(campaign: Campaign) -> Iterator[Problem]:
    benefit = campaign.benefit
    if isinstance(benefit, CouponReward) and benefit.campaign_id == campaign.id:
        yield Problem("benefit.campaign", "is this campaign: its coupons would give coupons for ever")


def _applies(campaign: Campaign, now: datetime, *, with_limits: bool) -> Iterator[Problem]:
    """Whether some payment gets something, with what is known of its amount then."""
    given = _given_between(campaign.benefit)
    situation = Situation.of(campaign, now, given)
    amounts = amounts_of(campaign.condition, situation)
    if not isinstance(amounts, Amounts):
        yield Problem("condition", amounts.message, hint=amounts.hint)
        return
    yield from _expectation(campaign.benefit, amounts)
    if with_limits:
        yield from _room(campaign, _gain(campaign.benefit, amounts))


def _given_between(benefit: Benefit) -> Amounts:
    """For which amounts a benefit gives at least 1 fen."""
    match benefit:
        case AmountOff(tiers):
            least = tiers[0].spend_fen
        case PercentOff(percent, _, spend):
            least = max(spend, _ceiling(_HUNDRED / percent))
        case FixedPrice(price, spend):
            least = max(spend, price + 1)
        case RandomOff(spend_fen=spend) | FeeOff(spend_fen=spend) | CouponReward(spend_fen=spend):
            least = spend
    return Amounts(max(least, 2 if not isinstance(benefit, (FeeOff, CouponReward)) else 1), AMOUNT_FEN_MAX)


class _Gain(NamedTuple):
    """What one payment takes of the budget at least, and on average where that is said."""

    least_fen: int
    mean_fen: int


def _gain(benefit: Benefit, amounts: Amounts) -> _Gain:
    match benefit:
        case AmountOff(tiers):
            least = max(tier.off_fen for tier in tiers if tier.spend_fen <= amounts.least_fen)
        case PercentOff(percent, max_fen, _):
            least = min(int(amounts.least_fen * percent / 100), max_fen or AMOUNT_FEN_MAX)
        case RandomOff(min_fen, _, mean_fen):
            return _Gain(min_fen, mean_fen)
        case FixedPrice(price, _):
            least = amounts.least_fen - price
        case FeeOff():
            least = 1
        case CouponReward():
            least = 0
    return _Gain(least, least)


def _expectation(benefit: Benefit, amounts: Amounts) -> Iterator[Problem]:
    """Whether any amount is high enough for what a random discount is on average."""
    if isinstance(benefit, RandomOff) and benefit.percent_max is not None:
        cap_fen = int(amounts.most_fen * benefit.percent_max / 100)
        if benefit.mean_fen > cap_fen:
            message = f"is {benefit.mean_fen}: of the highest amount, “percent_max” allows {cap_fen}"
            yield Problem("benefit.mean", message, hint="lower it, or raise “percent_max”")


def _room(campaign: Campaign, gain: _Gain) -> Iterator[Problem]:
    """Whether the limits leave room for a single discount."""
    total_max_fen = campaign.stacking.total_max_fen
    if total_max_fen is not None and isinstance(campaign.benefit, RandomOff) and gain.mean_fen > total_max_fen:
        yield Problem("stacking.total_max", f"is {total_max_fen}: a discount is {gain.mean_fen} on average")
    for path, cap_fen in _caps(campaign.limits):
        if cap_fen < gain.least_fen:
            yield Problem(path, f"is {cap_fen}: the smallest discount is {gain.least_fen}, so it never applies")
        elif cap_fen < gain.mean_fen:
            yield Problem(path, f"is {cap_fen}: a discount is {gain.mean_fen} on average")


def _caps(limits: Limits) -> Iterator[tuple[str, int]]:
    for name, cap_fen in (("budget", limits.budget_fen), ("budget_per_day", limits.budget_per_day_fen)):
        if cap_fen is not None:
            yield f"limits.{name}", cap_fen
    for scope in Scope:
        allowance = limits.per.get(scope)
        if allowance is None:
            continue
        for name, cap_fen in (("amount", allowance.amount_fen), ("amount_per_day", allowance.amount_per_day_fen)):
            if cap_fen is not None:
                yield f"limits.per_{scope}.{name}", cap_fen


def _ceiling(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_CEILING))
