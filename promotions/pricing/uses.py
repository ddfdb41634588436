"""The counters that a redemption counts in, and what is known here of their limits.

What a customer and his device took stands in the facts' history; stores, merchants, regions and codes are known to
PostgreSQL alone, whose guard decides about all of them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from gateway.kernel.money import Money
from promotions.campaigns.campaign import Campaign, RandomOff, Scope
from promotions.facts import EVER, Facts, Uses
from promotions.offer import Use

_NONE: Final = Uses()


class Counter(NamedTuple):
    """What a campaign counts of each in a scope, a day or in all, and the most of it (None: no limit)."""

    scope: Scope
    is_daily: bool
    count_max: int | None
    fen_max: int | None


def counters_of(campaign: Campaign) -> tuple[Counter, ...]:
    """Everything that a redemption of the campaign counts in: what has a limit, and what pricing reads again.

    The customer's count of the day is kept without a limit too where a draw is numbered by it, or where it tells that
    a pacing campaign let him in.
    """
    found = list(_limited(campaign))
    reads_it = campaign.pacing is not None or isinstance(campaign.benefit, RandomOff)
    if reads_it and not any(each.scope is Scope.CUSTOMER and each.is_daily for each in found):
        found.append(Counter(Scope.CUSTOMER, True, None, None))
    return tuple(found)


def uses_of(counters: tuple[Counter, ...], facts: Facts, day: date) -> tuple[Use, ...]:
    """The counters as rows: whose they are, and of which day."""
    found: list[Use] = []
    for scope, is_daily, count_max, fen_max in counters:
        key = key_of(scope, facts)
        if key is not None:
            found.append(Use(scope, key, day if is_daily else EVER, count_max, fen_max))
    return tuple(found)


def taken_on(campaign_id: str, facts: Facts, day: date) -> Uses:
    """What the customer took of a campaign on a day, as far as his history tells."""
    return _NONE if facts.history is None else facts.history.uses.get((campaign_id, Scope.CUSTOMER, day), _NONE)


def limit_reached(
    campaign_id: str, counters: tuple[Counter, ...], facts: Facts, day: date, discount_fen: int
) -> str | None:
    """A sentence about the limit that has no room for one more redemption of at most `discount_fen`, or None.

    A limit counts nothing for somebody whom nobody names, so a campaign limited per device, say, gives a payment that
    tells no device nothing at all.
    """
    taken: Mapping[tuple[str, Scope, date], Uses] | None = None if facts.history is None else facts.history.uses
    for counter in counters:
        scope, is_daily, count_max, fen_max = counter
        if count_max is fen_max is None:
            continue
        if key_of(scope, facts) is None:
            return f"It is limited per {scope}, and the payment names none."
        used = taken.get((campaign_id, scope, day if is_daily else EVER), _NONE) if taken else _NONE
        if count_max is not None and used.times >= count_max:
            return _counted(counter, used)
        if fen_max is not None and used.fen + discount_fen > fen_max:
            return _summed(counter, fen_max, used, discount_fen)
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


def _limited(campaign: Campaign) -> Iterator[Counter]:
    for scope, allowance in campaign.limits.per.items():
        if allowance.lifetime is not None or allowance.amount_fen is not None:
            yield Counter(scope, False, allowance.lifetime, allowance.amount_fen)
        if allowance.day is not None or allowance.amount_per_day_fen is not None:
            yield Counter(scope, True, allowance.day, allowance.amount_per_day_fen)


def _when(counter: Counter) -> str:
    return "a day" if counter.is_daily else "in all"


def _counted(counter: Counter, used: Uses) -> str:
    return f"One {counter.scope} may have it {counter.count_max}× {_when(counter)}, and has had it {used.times}×."


def _summed(counter: Counter, fen_max: int, used: Uses, discount_fen: int) -> str:
    return (
        f"One {counter.scope} may have ¥{Money(fen_max).yuan} {_when(counter)}: ¥{Money(used.fen).yuan} are taken, and "
        f"this would be ¥{Money(discount_fen).yuan}."
    )
