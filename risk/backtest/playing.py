"""Plays a rule set over a history: every payment is decided by the engine that decides live."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from risk import engine
from risk.backtest.columns import Columns
from risk.backtest.history import History
from risk.backtest.timeline import Bools, Ints
from risk.decision import Verdict
from risk.facts import CodeType, Facts
from risk.rules.compiled import SEVERITY, CompiledSet

Told: TypeAlias = Callable[[int], None]
"""Is told how many payments more are done."""

_CHUNK: Final = 10_000
"""Payments whose values are held as plain Python at once."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Played:
    """What a rule set said of the payments from the place `begin` on.

    Shape (n − begin,): `severity` is the verdict's place in SEVERITY, `score` 0 to 100, `no_discount` whether the
    subsidy was refused.  `hits` and `shadow_hits` have by the rule's code the places of the payments that it hit, from
    `begin` on.
    """

    begin: int
    severity: npt.NDArray[np.int8]
    score: npt.NDArray[np.int8]
    no_discount: Bools
    hits: Mapping[str, Ints]
    shadow_hits: Mapping[str, Ints]

    @property
    def alerted(self) -> Bools:
        """Whether the payment was reviewed or declined."""
        return self.severity > SEVERITY.index(Verdict.APPROVE)

    @property
    def unpaid_subsidy(self) -> Bools:
        """Whether it had no discount: refused, or declined altogether."""
        unpaid: Bools = self.no_discount | (self.severity == SEVERITY.index(Verdict.DECLINE))
        return unpaid


def play(compiled: CompiledSet, history: History, columns: Columns, begin: int, told: Told) -> Played:
    """Decide every payment from the place `begin` on; those before it only count in the windows."""
    names = tuple(sorted(compiled.names))
    severity, score, no_discount = array("b"), array("b"), array("b")
    hits: dict[str, array[int]] = {code: array("q") for code in compiled.codes}
    shadow: dict[str, array[int]] = {code: array("q") for code in compiled.codes}
    severities = {verdict: place for place, verdict in enumerate(SEVERITY)}
    decide = engine.decide
    for chunk in range(begin, len(history), _CHUNK):
        end = min(chunk + _CHUNK, len(history))
        rows = columns.rows(names, chunk, end)
        for place, values, facts in zip(range(chunk, end), rows, _facts(history, chunk, end), strict=True):
            decision = decide(compiled, values, facts)
            severity.append(severities[decision.verdict])
            score.append(decision.score)
            no_discount.append(decision.no_discount)
            for code in decision.reasons:
                hits[code].append(place)
            for code in decision.shadow:
                shadow[code].append(place)
        told(end - chunk)
    return Played(
        begin,
        np.frombuffer(severity, dtype=np.int8),
        np.frombuffer(score, dtype=np.int8),
        np.frombuffer(no_discount, dtype=np.int8).astype(np.bool_),
        _arrays(hits),
        _arrays(shadow),
    )


def _facts(history: History, begin: int, end: int) -> Any:
    """What a roll-out goes by: the customer, else the payment; everything else is in the columns."""
    customers = history.keys.get("customer")
    some = [None] * (end - begin) if customers is None else customers[begin:end]
    timezone = history.timezones[0]
    for place, customer in zip(range(begin, end), some, strict=True):
        yield Facts("", history.ids[place], 0, "", CodeType.BARCODE, _EPOCH, timezone, customer=customer)


def _arrays(hits: Mapping[str, array[int]]) -> Mapping[str, Ints]:
    return {code: np.frombuffer(places, dtype=np.int64) for code, places in hits.items() if places}


def begin_of_day(history: History, day: int) -> int:
    """The place of the first payment of a day or later."""
    return int(np.searchsorted(history.days, day))


def moment(history: History, day: int) -> datetime:
    """The midnight with which a day begins."""
    return _EPOCH + timedelta(milliseconds=history.day_zero_ms) + timedelta(days=day)
