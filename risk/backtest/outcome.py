"""What a back-test found: together, by rule, by day, and against the set that is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from risk.backtest.columns import Columns
from risk.backtest.history import History
from risk.backtest.playing import Played, Told, begin_of_day, moment, play
from risk.backtest.ranking import average_precision, customer_precision
from risk.backtest.tally import Tally, Whole, tally_of, whole_of
from risk.backtest.timeline import Ints
from risk.decision import Action
from risk.fields import MODEL_SCORE
from risk.rules.compiled import CompiledSet
from risk.rules.rule import Mode, RuleSet


class RuleTally(NamedTuple):
    """One rule: what it hit, by itself.  `alone` are the frauds that no other live rule hit; None of a shadow rule.

    `missing` names what it looks at and the history does not know: it cannot hit by that.
    """

    code: str
    action: Action
    mode: Mode
    tally: Tally
    alone: int | None
    missing: tuple[str, ...]


class DayTally(NamedTuple):
    """One day; `date` in UTC."""

    day: int
    date: str
    whole: Whole
    tally: Tally


class Ranking(NamedTuple):
    """How well the payments are ordered: by the model's score alone, and with the rules' verdict before it."""

    model_average_precision: float | None
    model_customer_precision: float | None
    average_precision: float | None
    customer_precision: float | None


class Against(NamedTuple):
    """The set in force on the same payments, and what would change: alerts that are new, and that are no more."""

    version: int
    together: Tally
    new: Tally
    gone: Tally


@dataclass(frozen=True)
class Outcome:
    """See the module.  `days` are of the payments that were looked at, `warm_days` came before and only count."""

    whole: Whole
    together: Tally
    rules: tuple[RuleTally, ...]
    days: tuple[DayTally, ...]
    warm_days: int
    labelled: bool
    ranking: Ranking | None
    against: Against | None

    def to_json(self) -> dict[str, Any]:
        """Every figure; amounts in fen, shares 0 to 1."""
        return {
            "payments": self.whole._asdict(),
            "warm_days": self.warm_days,
            "labelled": self.labelled,
            "together": self.together._asdict(),
            "rules": [{**each._asdict(), "tally": each.tally._asdict()} for each in self.rules],
            "ranking": None if self.ranking is None else self.ranking._asdict(),
            "against": None if self.against is None else _against_json(self.against),
            "days": [
                {**each._asdict(), "whole": each.whole._asdict(), "tally": each.tally._asdict()} for each in self.days
            ],
        }


def _against_json(against: Against) -> dict[str, Any]:
    return {
        "version": against.version,
        **{name: getattr(against, name)._asdict() for name in ("together", "new", "gone")},
    }


@dataclass(frozen=True)
class Wanted:
    """What to play: a set with its compiled form, the day to report from, and the set in force, if any."""

    rule_set: RuleSet
    compiled: CompiledSet
    report_from_day: int
    live: CompiledSet | None = None


def back_test(wanted: Wanted, history: History, columns: Columns, told: Told) -> Outcome:
    """Play it.  `told` is told of each payment once for each set that is played."""
    begin = begin_of_day(history, wanted.report_from_day)
    played = play(wanted.compiled, history, columns, begin, told)
    live = None if wanted.live is None else play(wanted.live, history, columns, begin, told)
    whole = whole_of(history, begin)
    alerted = _places(played)
    return Outcome(
        whole=whole,
        together=_together(history, played, whole),
        rules=tuple(_rules(wanted.rule_set, history, columns, played, whole)),
        days=tuple(_days(history, played, alerted)),
        warm_days=int(history.days[min(begin, len(history) - 1)] - history.days[0]),
        labelled=history.labelled,
        ranking=_ranking(history, columns, played) if MODEL_SCORE in wanted.compiled.names else None,
        against=None if live is None or wanted.live is None else _against(history, played, live, wanted.live, whole),
    )


def _places(played: Played) -> Ints:
    return np.flatnonzero(played.alerted) + played.begin


def _together(history: History, played: Played, whole: Whole) -> Tally:
    """Of the alerts; subsidy is saved by no_discount too, which is no alert."""
    alerted = _places(played)
    saved_fen = int(history.discount_fen[played.begin :][played.unpaid_subsidy].sum())
    return tally_of(history, alerted, whole)._replace(subsidy_saved_fen=saved_fen)


def _rules(rule_set: RuleSet, history: History, columns: Columns, played: Played, whole: Whole) -> list[RuleTally]:
    hit_by = np.zeros(len(history), dtype=np.int32)
    for places in played.hits.values():
        hit_by[places] += 1
    nowhere = np.zeros(0, dtype=np.int64)
    found = []
    for rule in sorted(rule_set.rules, key=lambda rule: (-rule.priority, rule.code)):
        applied, counted = played.hits.get(rule.code, nowhere), played.shadow_hits.get(rule.code, nowhere)
        places = np.union1d(applied, counted)
        saves = rule.action in (Action.DECLINE, Action.NO_DISCOUNT)
        tally = tally_of(history, places, whole, np.isin(places, applied) & saves)
        alone = int((history.fraud[applied] & (hit_by[applied] == 1)).sum()) if rule.mode is Mode.LIVE else None
        missing = columns.unknown(tuple(sorted(rule.when.names)))
        found.append(RuleTally(rule.code, rule.action, rule.mode, tally, alone, missing))
    return found


def _days(history: History, played: Played, alerted: Ints) -> list[DayTally]:
    first = int(history.days[played.begin]) if played.begin < len(history) else 0
    last = int(history.days[-1])
    found = []
    for day in range(first, last + 1):
        begin, end = begin_of_day(history, day), begin_of_day(history, day + 1)
        whole = whole_of(history, begin, end)
        of_day = alerted[np.searchsorted(alerted, begin) : np.searchsorted(alerted, end)]
        saved_fen = int(
            history.discount_fen[begin:end][played.unpaid_subsidy[begin - played.begin :][: end - begin]].sum()
        )
        tally = tally_of(history, of_day, whole)._replace(subsidy_saved_fen=saved_fen)
        found.append(DayTally(day, f"{moment(history, day):%Y-%m-%d}", whole, tally))
    return found


def _ranking(history: History, columns: Columns, played: Played) -> Ranking | None:
    column = columns.of(MODEL_SCORE)
    if column is None:
        return None
    scores = np.nan_to_num(column.floats()[played.begin :])
    fraud, days = history.fraud[played.begin :], history.days[played.begin :]
    customers = history.codes(("customer",))[played.begin :]
    both = scores + played.severity
    return Ranking(
        average_precision(fraud, scores),
        customer_precision(fraud, scores, days, customers),
        average_precision(fraud, both),
        customer_precision(fraud, both, days, customers),
    )


def _against(history: History, played: Played, live: Played, in_force: CompiledSet, whole: Whole) -> Against:
    def places(chosen: Any) -> Ints:
        return np.flatnonzero(chosen) + played.begin

    return Against(
        version=in_force.version,
        together=_together(history, live, whole),
        new=tally_of(history, places(played.alerted & ~live.alerted), whole),
        gone=tally_of(history, places(live.alerted & ~played.alerted), whole),
    )
