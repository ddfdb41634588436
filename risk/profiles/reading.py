"""Reads customers' profiles for the payments that are being screened, all that wait in one statement.

Orders, what was spent, first and last times and segments come from `customers`, which every outcome keeps up in its own
commit; the habits are a few seconds behind (following.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import asyncpg

from gateway.kernel.expressions import Value
from risk.facts import Facts
from risk.fields import PROFILE_FIELDS
from risk.profiles.following import SQL

_AMOUNTS_MIN: Final = 3
"""Below so many payments there is no usual amount and no usual region."""
_HOURS_MIN: Final = 10
"""Below so many payments there is no usual hour."""
_HOURS_A_DAY: Final = 24


class Profile(NamedTuple):
    """What is known of one customer; somebody new has none of it.  `payers` are keyed hashes, hex, the latest last.

    `payments` and `amount_fen` (the value of the goods) are those that the habits were made of; `highest_fen` is None
    without one.
    """

    orders: int = 0
    spent_fen: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    segments: tuple[str, ...] = ()
    payments: int = 0
    amount_fen: int = 0
    highest_fen: int | None = None
    hours: Sequence[int] = (0,) * _HOURS_A_DAY
    regions: Sequence[str] = ()
    payers: tuple[str, ...] = ()
    shared_payer: bool = False


class Reader(Protocol):
    """Who takes a customer and reads him together with whoever else waits (`GroupCommit`)."""

    def begin(self, row: bytes) -> asyncio.Future[Profile]: ...


class Profiles:
    """One per process."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def begin(self, customer: str) -> asyncio.Future[Profile]:
        """Ask for the profile of a customer (the keyed hash, hex); it comes soon.  Whoever stops waiting cancels it.

        Raises Unavailable where too many wait already.
        """
        return self._reader.begin(bytes.fromhex(customer))


class ProfileReading:
    """The statement for a batch of payments: the `flush` of the `GroupCommit`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def flush(self, customers: Sequence[bytes]) -> list[Profile | Exception]:
        """One answer for each, in their order.  Raises what the database raises."""
        return [_profile(row) for row in await self._pool.fetch(SQL["profiles"], customers)]


def profile_values(profile: Profile | None, facts: Facts) -> dict[str, Value | None]:
    """The fields `customer.…` of a payment (risk/fields.py), but `customer.known`; without a profile all are null."""
    if profile is None:
        return dict.fromkeys(PROFILE_FIELDS)
    return {
        "customer.orders": profile.orders,
        "customer.spent": profile.spent_fen,
        "customer.first_payment": profile.orders == 0,
        "customer.days_since_first": _days_between(profile.first_at, facts.at),
        "customer.days_since_last": _days_between(profile.last_at, facts.at),
        "customer.segments": profile.segments,
        "customer.usual_amount": _mean_fen(profile),
        "customer.highest_amount": profile.highest_fen,
        "customer.usual_hour": _is_usual_hour(profile, facts),
        "customer.usual_region": _is_usual_region(profile, facts.region),
        "customer.shared_payer": profile.shared_payer,
    }


def _days_between(earlier: datetime | None, at: datetime) -> int | None:
    """Whole days; none where a capture has just been committed by another clock's count."""
    return None if earlier is None else max(0, (at - earlier).days)


def _mean_fen(profile: Profile) -> int | None:
    """Rounded to the fen, half up."""
    if profile.payments < _AMOUNTS_MIN:
        return None
    return (2 * profile.amount_fen + profile.payments) // (2 * profile.payments)


def _is_usual_hour(profile: Profile, facts: Facts) -> bool | None:
    """Whether any payment fell in this hour of the day, the one before or the one after."""
    if profile.payments < _HOURS_MIN:
        return None
    hour = facts.at.astimezone(ZoneInfo(facts.timezone)).hour
    return any(profile.hours[(hour + step) % _HOURS_A_DAY] for step in (-1, 0, 1))


def _is_usual_region(profile: Profile, region: str | None) -> bool | None:
    if region is None or profile.payments < _AMOUNTS_MIN:
        return None
    return region in profile.regions


def _profile(row: asyncpg.Record) -> Profile:
    """The statement's columns stand in the order of the fields."""
    profile = Profile(*row)
    return profile._replace(segments=tuple(row["segments"]), payers=tuple([payer.hex() for payer in row["payers"]]))
