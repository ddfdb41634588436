"""The counters that a redemption counts in, and what is known here of their limits.

What a customer and his device took stands in the facts' history; stores, merchants, regions and codes are known to
PostgreSQL alone, whose guard decides about all of them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from gateway.kernel.money import Money
from promotions.campaigns.campaign import Allowance, Campaign, RandomOff, Scope
from promotions.facts import EVER, Facts, Uses
from promotions.offer import Use

_NONE: Final = Uses()


def uses_of(campaign: Campaign, facts: Facts, day: date) -> tuple[Use, ...]:
    """Every counter that a redemption of the campaign counts in: those with a limit, and what pricing reads again.

    The customer's count of the day is kept without a limit too where a draw is numbered by it, or where it tells that
    a pacing campaign let him in.
    """
    found = [use for scope, allowance in campaign.limits.per.items() for use in _of(scope, allowance, facts, day)]
    if facts.customer is not None and (campaign.pacing is not None or isinstance(campaign.benefit, RandomOff)):
        daily = Use(Scope.CUSTOMER, facts.customer, day, None, None)
        if not any(use.scope is Scope.CUSTOMER and use.day == day for use in found):
            found.append(daily)
    return tuple(found)


def taken_on(campaign_id: str, facts: Facts, day: date) -> Uses:
    """What the customer took of a campaign on a day, as far as his history tells."""
    return _NONE if facts.history is None else facts.history.uses.get((campaign_id, Scope.CUSTOMER, day), _NONE)


def limit_reached(
    campaign_id: str, allowances: Sequence[tuple[Scope, Allowance]], facts: Facts, day: date, discount_fen: int
) -> str | None:
    """A sentence about the limit that has no room for one more redemption of at most `discount_fen`, or None.

    A limit counts nothing for somebody whom nobody names, so a campaign limited per device, say, gives a payment that
    tells no device nothing at all.
    """
    taken: Mapping[tuple[str, Scope, date], Uses] = {} if facts.history is None else facts.history.uses
    for scope, allowance in allowances:
        if key_of(scope, facts) is None:
            return f"It is limited per {scope}, and the payment names none."
        ever = taken.get((campaign_id, scope, EVER), _NONE)
        today = taken.get((campaign_id, scope, day), _NONE)
        if allowance.lifetime is not None and ever.count >= allowance.lifetime:
            return _counted(scope, "in all", allowance.lifetime, ever)
        if allowance.day is not None and today.count >= allowance.day:
            return _counted(scope, "a day", allowance.day, today)
        if allowance.amount_fen is not None and ever.fen + discount_fen > allowance.amount_fen:
            return _summed(scope, "in all", allowance.amount_fen, ever, discount_fen)
        if allowance.amount_per_day_fen is not None and today.fen + discount_fen > allowance.amount_per_day_fen:
            return _summed(scope, "a day", allowance.amount_per_day_fen, today, discount_fen)
    return None


def key_of(scope: Scope, facts: Facts) -> str | None:
    """Under which key a scope counts this payment; a store's is its merchant's too."""
    match scope:
        case Scope.CUSTOMER:
            return facts.customer
        case Scope.DEVICE:
            return facts.device
        case Scope.STORE:
            return None if facts.store_id is None else f"{facts.merchant_id}/{facts.store_id}"
        case Scope.MERCHANT:
            return facts.merchant_id
        case Scope.REGION:
            return facts.region
        case Scope.CODE:
            return facts.code_id


def _of(scope: Scope, allowance: Allowance, facts: Facts, day: date) -> Iterator[Use]:
    key = key_of(scope, facts)
    if key is None:
        return
    if not (allowance.lifetime is allowance.amount_fen is None):
        yield Use(scope, key, EVER, allowance.lifetime, allowance.amount_fen)
    if not (allowance.day is allowance.amount_per_day_fen is None):
        yield Use(scope, key, day, allowance.day, allowance.amount_per_day_fen)


def _counted(scope: Scope, when: str, most: int, taken: Uses) -> str:
    return f"One {scope} may have it {most}× {when}, and has had it {taken.count}×."


def _summed(scope: Scope, when: str, most_fen: int, taken: Uses, discount_fen: int) -> str:
    return (
        f"One {scope} may have ¥{Money(most_fen).yuan} {when}: ¥{Money(taken.fen).yuan} are taken, and this would be "
        f"¥{Money(discount_fen).yuan}."
    )
