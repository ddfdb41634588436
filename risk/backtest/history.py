"""A history of payments in columns, by time: what a back-test plays and a model learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from risk.backtest.column import Column
from risk.backtest.timeline import NOBODY, Bools, Ints, Timeline, coded, paired
from risk.velocity.spec import DIMENSIONS, LABEL_DELAY_S, Series
from risk.velocity.travel import Place

DAY_MS: Final = 86_400_000
FIELD_OF: Final = {
    "merchant": "payment.merchant_id",
    "store": "payment.store_id",
    "terminal": "payment.terminal_id",
    "operator": "payment.operator_id",
    "region": "payment.region",
    "code": "payment.code",
    "card": "payment.card_bin",
    "ip": "payment.ip",
    "wallet": "payment.wallet",
    "code_type": "payment.code_type",
}
"""Dimensions that rules can look at by themselves, and the names of these fields."""
MERCHANTS_OWN: Final = frozenset({"store", "terminal", "operator", "code"})
"""Dimensions whose values are a merchant's own."""
NEVER_MS: Final = 2**62
"""The time at which a label becomes known that nobody gave."""


class Later(NamedTuple):
    """What was told of payments after the fact: their places in the history, when (ms since the epoch), amounts (fen).

    Shape (m,) each.
    """

    places: Ints
    told_ms: Ints
    amounts_fen: Ints


@dataclass(frozen=True)
class History:
    """n payments in the order of their time.

    `fields` are those of the request by their names in rules; a name that is not there is null in all.
    `keys` has the values of the dimensions of velocities.  `fraud` is what became known in the end and `known_ms` when
    it did (ms since the epoch, NEVER_MS where nobody said): a payment without a label counts as good.  `discount_fen`
    is the subsidy of each, `places` where it was made (empty where nothing is known of any).  `day_zero_ms` is the
    midnight from which days are numbered.
    """

    ids: Sequence[str]
    timeline: Timeline
    timezones: Sequence[str]
    fields: Mapping[str, Column]
    keys: Mapping[str, Sequence[str | None]]
    amount_fen: Ints
    discount_fen: Ints
    fraud: Bools
    known_ms: Ints
    day_zero_ms: int
    later: Mapping[Series, Later] = field(default_factory=dict)
    places: Sequence[Place | None] = ()
    _codes: dict[tuple[str, ...], Ints] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.timeline)

    @cached_property
    def days(self) -> Ints:
        """The number of each payment's day; shape (n,)."""
        found: Ints = (self.timeline.at_ms - self.day_zero_ms) // DAY_MS
        return found

    @property
    def labelled(self) -> bool:
        """Whether anybody said of any payment what it was."""
        return bool((self.known_ms < NEVER_MS).any())

    def codes(self, key: tuple[str, ...]) -> Ints:
        """Of one dimension or a pair: a number for each value, NOBODY where a payment does not name it."""
        found = self._codes.get(key)
        if found is None:
            assert set(key) <= set(DIMENSIONS)
            found = self._one(key[0]) if len(key) == 1 else paired(self.codes(key[:1]), self.codes(key[1:]))
            self._codes[key] = found
        return found

    def _one(self, dimension: str) -> Ints:
        values = self.keys.get(dimension)
        if values is None:
            return np.full(len(self), NOBODY, dtype=np.int64)
        codes = coded(values)
        if dimension in MERCHANTS_OWN and "merchant" in self.keys:
            return paired(self.codes(("merchant",)), codes)
        return codes

    def told(self, series: Series) -> Later:
        """What was told of the payments: frauds by their labels, the rest as it was given."""
        if series is Series.FRAUDS:
            places = np.flatnonzero(self.fraud & (self.known_ms < NEVER_MS))
            return Later(places, self.known_ms[places], self.amount_fen[places])
        nothing = np.zeros(0, dtype=np.int64)
        return self.later.get(series, Later(nothing, nothing, nothing))


def up_to(history: History, day: int) -> History:
    """The payments of the days up to this one, it too; what was told later of them stays as it is."""
    end = int(np.searchsorted(history.days, day, side="right"))
    later = {series: Later(*(part[told.places < end] for part in told)) for series, told in history.later.items()}
    return History(
        ids=history.ids[:end],
        timeline=Timeline(history.timeline.at_ms[:end]),
        timezones=history.timezones if len(history.timezones) == 1 else history.timezones[:end],
        fields={
            name: Column(values[:end], None if known is None else known[:end])
            for name, (values, known) in history.fields.items()
        },
        keys={name: values[:end] for name, values in history.keys.items()},
        amount_fen=history.amount_fen[:end],
        discount_fen=history.discount_fen[:end],
        fraud=history.fraud[:end],
        known_ms=history.known_ms[:end],
        day_zero_ms=history.day_zero_ms,
        later=later,
        places=history.places[:end],
    )


def known_after(at_ms: Ints, delay_ms: int = LABEL_DELAY_S * 1_000) -> Ints:
    """When labels are known that come so long after their payments."""
    return at_ms + delay_ms
