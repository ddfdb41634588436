"""The values that rules look at, of one payment: out of the request, out of the features, or worked out of both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import orjson

from gateway.kernel.expressions import Value
from gateway.kernel.local_time import TIME_FIELDS, time_fields
from risk.distance import distance_km
from risk.facts import Facts

if TYPE_CHECKING:
    from risk.rules.compiled import CompiledSet

Read: TypeAlias = Callable[[Any], Value | None]


class Reads(NamedTuple):
    """How a rule set's own names are read: of the facts, and which of the time in the merchant's zone."""

    of_facts: tuple[tuple[str, Read], ...] = ()
    of_time: tuple[str, ...] = ()


NO_READS: Final = Reads()


def _age_days(facts: Facts) -> int | None:
    """Never below zero: the clocks of two processes differ."""
    return None if facts.merchant_since is None else max((facts.at - facts.merchant_since).days, 0)


def _distance_km(facts: Facts) -> float | None:
    if facts.location is None or facts.store_location is None:
        return None
    return distance_km(facts.location, facts.store_location)


_OF_THE_REQUEST: Final[dict[str, Read]] = {
    "payment.amount": attrgetter("amount_fen"),
    "payment.method": lambda facts: str(facts.method),  # plain text: a member of an enum has another hash
    "payment.wallet": lambda facts: None if facts.wallet is None else str(facts.wallet),
    "payment.merchant_id": attrgetter("merchant_id"),
    "payment.store_id": attrgetter("store_id"),
    "payment.terminal_id": attrgetter("terminal_id"),
    "payment.operator_id": attrgetter("operator_id"),
    "payment.code": attrgetter("code_id"),
    "payment.card_bin": attrgetter("card_bin"),
    "payment.ip": attrgetter("ip"),
    "payment.has_coupon": attrgetter("has_coupon"),
    "device.known": lambda facts: facts.device is not None,
    "device.rooted": attrgetter("device_rooted"),
    "customer.known": lambda facts: facts.customer is not None,
}
_OF_ITS_PLACE: Final[dict[str, Read]] = {
    "payment.code_type": attrgetter("code_type.value"),
    "payment.region": attrgetter("region"),
    "payment.category": attrgetter("category"),
    "payment.distance_km": _distance_km,
    "merchant.age_days": _age_days,
    "merchant.tier": attrgetter("merchant_tier"),
}
"""What may have changed by the time somebody asks again."""

IN_THE_REQUEST: Final = frozenset(_OF_THE_REQUEST)
"""Names whose values the stored request gives again; a decision keeps those of all others."""
_OF_FACTS: Final = {**_OF_THE_REQUEST, **_OF_ITS_PLACE}


def reads_of(names: Collection[str]) -> Reads:
    """Of the names that a rule set looks at."""
    return Reads(
        tuple((name, read) for name, read in _OF_FACTS.items() if name in names),
        tuple(name for name in TIME_FIELDS if name in names),
    )


def values_of(compiled: CompiledSet, facts: Facts, features: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """What the set looks at, by the names of fields and calls.

    `features` are velocities and listings by the names of their calls, and customer.*, travel.* and model.score; one
    that is left out is null.
    """
    values = dict(features)
    add_values(compiled, facts, values)
    return values


def add_values(compiled: CompiledSet, facts: Facts, values: dict[str, Value | None]) -> None:
    """The same, where what is known already belongs to this payment alone."""
    of_facts, of_time = compiled.needs.reads
    for name, read in of_facts:
        values[name] = read(facts)
    if of_time:
        times = time_fields(facts.at, ZoneInfo(facts.timezone))
        for name in of_time:
            values[name] = times[name]


def kept(compiled: CompiledSet, values: Mapping[str, Value | None]) -> str:
    """What a decision keeps: the values of `compiled.seen`, as JSON."""
    return orjson.dumps([*map(values.get, compiled.seen)]).decode()


def replayed(compiled: CompiledSet, facts: Facts, features: str) -> dict[str, Value | None]:
    """The values that a decision was made of, from the request (as facts) and what the decision kept."""
    values: dict[str, Value | None] = {
        name: read(facts) for name, read in _OF_THE_REQUEST.items() if name in compiled.names
    }
    for name, value in zip(compiled.seen, orjson.loads(features), strict=True):
        values[name] = tuple(value) if isinstance(value, list) else value
    return values
