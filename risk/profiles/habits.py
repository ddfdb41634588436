"""A customer's habits as they are stored, and what one payment more, or one taken back, makes of them.  Pure."""

from __future__ import annotations

from bisect import insort
from typing import Final, NamedTuple

HIGHEST_MAX: Final = 4
"""So many of the highest amounts are kept, so that one that is reversed leaves the next."""
REGIONS_MAX: Final = 16
PAYERS_MAX: Final = 8
_NO_HOURS: Final = (0,) * 24


class Change(NamedTuple):
    """A payment that was captured, or reversed after it was.  `hour` is that of its capture, in the merchant's zone.

    `amount_fen` is the value of the goods; `payer` the keyed hash of the wallet's id of who paid, where the channel
    says it; `realm` is what the customer's id belongs to.
    """

    customer: bytes
    is_capture: bool
    amount_fen: int
    hour: int
    region: str | None
    realm: str
    payer: bytes | None


class Habits(NamedTuple):
    """What `risk_profiles` has of one customer.  `highest_fen` is in descending order; `regions` have their numbers."""

    payments: int = 0
    amount_fen: int = 0
    highest_fen: tuple[int, ...] = ()
    hours: tuple[int, ...] = _NO_HOURS
    regions: tuple[tuple[str, int], ...] = ()
    payers: tuple[bytes, ...] = ()
    shared_payer: bool = False


NO_HABITS: Final = Habits()


def after(habits: Habits, change: Change) -> Habits:
    """What they are after it."""
    return _captured(habits, change) if change.is_capture else _reversed(habits, change)


def _captured(habits: Habits, change: Change) -> Habits:
    return habits._replace(
        payments=habits.payments + 1,
        amount_fen=habits.amount_fen + change.amount_fen,
        highest_fen=_with_amount(habits, change.amount_fen),
        hours=_with_hour(habits.hours, change.hour, 1),
        regions=habits.regions if change.region is None else _with_region(habits.regions, change.region),
        payers=habits.payers if change.payer is None else _with_payer(habits.payers, change.payer),
    )


def _reversed(habits: Habits, change: Change) -> Habits:
    """Who paid for whom stays known: what was reversed has told it all the same."""
    return habits._replace(
        payments=max(0, habits.payments - 1),
        amount_fen=max(0, habits.amount_fen - change.amount_fen),
        highest_fen=_without(habits.highest_fen, change.amount_fen),
        hours=_with_hour(habits.hours, change.hour, -1),
        regions=habits.regions if change.region is None else _without_region(habits.regions, change.region),
    )


def _with_amount(habits: Habits, amount_fen: int) -> tuple[int, ...]:
    """An amount below all that are kept is added only where they are all there is: others may stand in between."""
    kept = habits.highest_fen
    is_complete = len(kept) == habits.payments
    if kept and not is_complete and amount_fen < kept[-1]:
        return kept
    amounts = sorted(kept)
    insort(amounts, amount_fen)
    return tuple(amounts[: -HIGHEST_MAX - 1 : -1])


def _without(amounts_fen: tuple[int, ...], amount_fen: int) -> tuple[int, ...]:
    if amount_fen not in amounts_fen:
        return amounts_fen
    place = amounts_fen.index(amount_fen)
    return amounts_fen[:place] + amounts_fen[place + 1 :]


def _with_hour(hours: tuple[int, ...], hour: int, times: int) -> tuple[int, ...]:
    return (*hours[:hour], max(0, hours[hour] + times), *hours[hour + 1 :])


def _with_region(regions: tuple[tuple[str, int], ...], region: str) -> tuple[tuple[str, int], ...]:
    """Beyond the bound the one with the fewest payments, the oldest of several, makes room."""
    counts = dict(regions)
    if region not in counts and len(counts) == REGIONS_MAX:
        del counts[min(counts, key=counts.__getitem__)]
    counts[region] = counts.get(region, 0) + 1
    return tuple(counts.items())


def _without_region(regions: tuple[tuple[str, int], ...], region: str) -> tuple[tuple[str, int], ...]:
    lowered = ((name, count - (name == region)) for name, count in regions)
    return tuple((name, count) for name, count in lowered if count > 0)


def _with_payer(payers: tuple[bytes, ...], payer: bytes) -> tuple[bytes, ...]:
    return (*(known for known in payers if known != payer), payer)[-PAYERS_MAX:]
