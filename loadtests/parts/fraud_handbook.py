"""`make risk-report DATA=FILE`: rules and model on the Fraud Detection Handbook's simulated payments; and the pace.

The rules' thresholds are chosen here, on the training days alone: each rule is a pattern with a grid of numbers, and
gets those with which it finds the most frauds that the rules before it have not found, at no less than a precision that
is set beforehand; measured on payments of the days 30 to 89 whose labels were known when day 89 ended.  Nothing looks
at a later day before everything is written down.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, product
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console

from gateway.commandline.risk.backtest.tables import tables_of
from risk.backtest.columns import Columns
from risk.backtest.history import DAY_MS, History
from risk.backtest.outcome import Outcome, Wanted, back_test
from risk.backtest.playing import begin_of_day
from risk.backtest.table import TableForm, read_tables
from risk.backtest.timeline import Bools
from risk.fields import MODEL_SCORE
from risk.model.feature import feature_of
from risk.model.model import Model
from risk.model.training import Days, score_column, train
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse

TRAINING: Final = Days(30, 89)
"""Before day 30 the longer windows are not full yet."""
REPORT_FROM: Final = 90
EXAMPLES: Final = Path("risk/backtest/examples")
_RULES: Final = EXAMPLES / "fraud_handbook.json"
_ALERTS_MIN: Final = 20
_REVIEW_PRECISION_MIN: Final = 0.5
"""Of what the model sends to people."""
_PACE_RULES: Final = 100
_PACE_PAYMENTS: Final = 200_000
_SCORE_RULE: Final = "model.score >= {:.2f}"


@dataclass(frozen=True)
class Candidate:
    """A condition, and which payments meet it."""

    when: str
    met: Bools


@dataclass(frozen=True)
class Pattern:
    """What a rule is to find, and the precision that its numbers must reach on the training days."""

    code: str
    description: str
    precision_min: float


PATTERNS: Final = (
    Pattern("FH_AMOUNT", "An amount that no customer of this town has.", 0.99),
    Pattern("FH_TERMINAL", "A terminal whose payments were fraud lately, and not for four weeks yet.", 0.97),
    Pattern("FH_TERMINAL_FRESH", "The same, of those that the rule above leaves.", 0.95),
    Pattern("FH_CUSTOMER", "A customer of whom fraud is known, paying more than usual.", 0.95),
    Pattern("FH_JUMP", "An amount far beyond what the customer pays else.", 0.95),
    Pattern("FH_SPREE", "After such an amount a further one that is high for the customer.", 0.93),
)


class Town:
    """The data set with the columns that candidates are made of."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.columns = Columns(history)
        self.amount = history.amount_fen

    def velocity(self, metric: str, key: str, window: str) -> npt.NDArray[np.float64]:
        """NaN, which is in no comparison, where there is none."""
        column = self.columns.of(_call(metric, key, window))
        assert column is not None
        return column.floats()

    def candidates(self, code: str) -> Iterator[Candidate]:
        """Every condition of a pattern's grid."""
        made = {
            "FH_AMOUNT": self._amounts,
            "FH_TERMINAL": self._terminals,
            "FH_TERMINAL_FRESH": self._terminals,
            "FH_CUSTOMER": self._customers,
            "FH_JUMP": self._jumps,
            "FH_SPREE": self._sprees,
        }
        return made[code]()

    def _amounts(self) -> Iterator[Candidate]:
        for least in range(15_000, 30_001, 1_000):
            yield Candidate(f"payment.amount > {least}", self.amount > least)

    def _terminals(self) -> Iterator[Candidate]:
        for window, (young, old) in product(("2d", "3d", "5d", "7d"), (("14d", "28d"), ("18d", "28d"), ("21d", "28d"))):
            count, share = (self.velocity(f"fraud_{each}", "terminal", window) for each in ("count", "share"))
            earlier = self.velocity("fraud_count", "terminal", old) - self.velocity("fraud_count", "terminal", young)
            calls = [_call(f"fraud_{each}", "terminal", window) for each in ("count", "share")]
            ages = [_call("fraud_count", "terminal", each) for each in (old, young)]
            for frauds, least, before in product((1, 2, 3, 4), (0.5, 0.6, 0.7, 0.8, 0.9), (0, 1, 2)):
                yield Candidate(
                    f"{calls[0]} >= {frauds} && {calls[1]} >= {least} && {ages[0]} - {ages[1]} <= {before}",
                    (count >= frauds) & (share >= least) & (earlier <= before),
                )

    def _customers(self) -> Iterator[Candidate]:
        for known, usual in product(("3d", "7d", "14d"), ("14d", "30d", "60d", "90d")):
            frauds = self.velocity("fraud_count", "customer", known)
            mean = self.velocity("mean_amount", "customer", usual)
            for least, tenths in product((1, 2, 3), range(12, 41, 2)):
                yield Candidate(
                    f"{_call('fraud_count', 'customer', known)} >= {least} && {_beyond(tenths, usual)}",
                    (frauds >= least) & (10 * self.amount > tenths * mean),
                )

    def _jumps(self) -> Iterator[Candidate]:
        for usual in ("14d", "30d", "60d", "90d"):
            mean = self.velocity("mean_amount", "customer", usual)
            for tenths in range(20, 61):
                yield Candidate(_beyond(tenths, usual), 10 * self.amount > tenths * mean)

    def _sprees(self) -> Iterator[Candidate]:
        for usual, lately in product(("30d", "60d", "90d"), ("3d", "7d", "14d")):
            mean = self.velocity("mean_amount", "customer", usual)
            highest = self.velocity("max_amount", "customer", lately)
            peak, mean_call = _call("max_amount", "customer", lately), _call("mean_amount", "customer", usual)
            for times, tenths in product((2, 3, 4), range(14, 41, 2)):
                yield Candidate(
                    f"{_beyond(tenths, usual)} && {peak} >= {times} * {mean_call}",
                    (10 * self.amount > tenths * mean) & (highest >= times * mean),
                )


def _call(metric: str, key: str, window: str) -> str:
    return f"velocity('{metric}', '{key}', '{window}')"


def _beyond(tenths: int, usual: str) -> str:
    return f"10 * payment.amount > {tenths} * {_call('mean_amount', 'customer', usual)}"


def choose(town: Town, told: Console) -> tuple[list[dict[str, Any]], Bools]:
    """The rules with the numbers that the training days give them, and the payments that any of them hits."""
    history = town.history
    end_ms = history.day_zero_ms + (TRAINING.last + 1) * DAY_MS
    trained = (history.days >= TRAINING.first) & (history.days <= TRAINING.last) & (history.known_ms < end_ms)
    found = np.zeros(len(history), dtype=np.bool_)
    rules: list[dict[str, Any]] = []
    for pattern in PATTERNS:
        left = trained & ~found
        best = _best(town.candidates(pattern.code), left, history.fraud, pattern.precision_min)
        if best is None:
            told.print(f"{pattern.code}: no numbers reach {pattern.precision_min}; left out")
            continue
        of_it = best.met & left
        told.print(
            f"{pattern.code}: {int(of_it.sum())} alerts, {int((of_it & history.fraud).sum())} frauds: {best.when}"
        )
        found |= best.met
        rules.append(
            {
                "code": pattern.code,
                "when": best.when,
                "action": "decline",
                "score": 90,
                "priority": 10 * (len(PATTERNS) - len(rules)),
                "description": pattern.description,
            }
        )
    return rules, found


def _best(candidates: Iterator[Candidate], left: Bools, fraud: Bools, precision_min: float) -> Candidate | None:
    """That with the most frauds of those that are left, among those precise enough."""
    best, most = None, 0
    for each in candidates:
        alerts = each.met & left
        count, frauds = int(alerts.sum()), int((alerts & fraud).sum())
        if count >= _ALERTS_MIN and frauds / count >= precision_min and frauds > most:
            best, most = each, frauds
    return best


def with_model(rules: Sequence[dict[str, Any]], hit: Bools, town: Town, scores: npt.NDArray[Any]) -> dict[str, Any]:
    """The rules, and one more: of what they leave, payments go to review from the score on at which half are fraud.

    The threshold is chosen on the training days too.  The model knows these by heart, so that they are scored by one
    that learned from their first half only, and the second half is looked at.
    """
    history = town.history
    end_ms = history.day_zero_ms + (TRAINING.last + 1) * DAY_MS
    middle = (TRAINING.first + TRAINING.last) // 2
    left = (history.days > middle) & (history.days <= TRAINING.last) & (history.known_ms < end_ms) & ~hit
    grid = (Candidate(_SCORE_RULE.format(step / 100), scores >= step / 100) for step in range(5, 100))
    best = _best(grid, left, history.fraud, _REVIEW_PRECISION_MIN)
    assert best is not None, "some threshold reaches it"
    rule = {
        "code": "FH_MODEL",
        "when": best.when,
        "action": "review",
        "score": 60,
        "description": "What the model suspects of what the rules leave.",
    }
    return {"note": "With a model: `mashang risk train` on days 0 to 89.", "model": 1, "rules": [*rules, rule]}


def pace(town: Town, told: Console) -> dict[str, Any]:
    """A hundred different rules over the last payments, on one core; counting is of the whole history."""
    texts = [
        each.when
        for pattern in PATTERNS
        for each in islice(town.candidates(pattern.code), 0, None, 7)  # each has a mask of all payments: not kept
    ]
    chosen = texts[:: max(1, len(texts) // _PACE_RULES)]
    rules = [
        {"code": f"P_{number}", "when": when, "action": "review"} for number, when in enumerate(chosen[:_PACE_RULES])
    ]
    compiled = CompiledSet.of(parse({"rules": rules}, lists=None, models=None), 1)
    began = time.process_time()
    columns = Columns(town.history)
    for name in sorted(compiled.names):
        columns.of(name)
    counted_s = time.process_time() - began
    begin = len(town.history) - _PACE_PAYMENTS
    wanted = Wanted(parse({"rules": rules}, lists=None, models=None), compiled, int(town.history.days[begin]))
    began = time.process_time()
    outcome = back_test(wanted, town.history, columns, lambda _: None)
    decided_s = time.process_time() - began
    seconds = counted_s / len(town.history) + decided_s / outcome.whole.payments
    told.print(
        f"{len(rules)} rules with {len(compiled.velocities)} velocities: {1 / seconds:,.0f} payments a second "
        f"({1e6 * counted_s / len(town.history):.1f} µs of counting, {1e6 * decided_s / outcome.whole.payments:.1f} µs "
        "of deciding for each)"
    )
    return {"rules": len(rules), "velocities": len(compiled.velocities), "payments_per_s": 1 / seconds}


def play(document: dict[str, Any], town: Town, columns: Columns) -> Outcome:
    """Over the days from REPORT_FROM on."""
    rule_set = parse(document, lists=None, models=None)
    return back_test(Wanted(rule_set, CompiledSet.of(rule_set, 1), REPORT_FROM), town.history, columns, lambda _: None)


def main(
    data: Annotated[list[Path], typer.Argument(help="The data set's files, in CSV.")],
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Choose, train, and only then report on the days from 90 on; print it and write one JSON document."""
    told = Console(width=150)
    town = Town(read_tables(data, TableForm({})))
    assert begin_of_day(town.history, REPORT_FROM) < len(town.history), "there are days to report"
    rules, hit = choose(town, told)
    document = {
        "note": "The Fraud Detection Handbook's simulated payments: for the demonstration only.",
        "rules": rules,
    }
    _write(_RULES, document)
    model, scored = _models(town, told)
    both = with_model(rules, hit, town, scored)
    _write(EXAMPLES / "fraud_handbook_with_model.json", both)
    alone = play(document, town, town.columns)
    begin = begin_of_day(town.history, REPORT_FROM)
    columns = Columns(town.history, {MODEL_SCORE: score_column(model, town.columns, len(town.history), begin)})
    together = play(both, town, columns)
    for title, outcome in (("rules alone", alone), ("rules with the model", together)):
        told.rule(title)
        for table in tables_of(outcome):
            told.print(table, markup=False)
    found = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": os.getloadavg(),
        "data": "simulated: the Fraud Detection Handbook's",
        "rules": alone.to_json(),
        "rules_with_model": together.to_json(),
        "model": dict(model.trained),
        "pace": pace(town, told),
    }
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"fraud-handbook-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    _write(path, found)
    told.print(f"Written to {path}, {_RULES}")


def _models(town: Town, told: Console) -> tuple[Model, npt.NDArray[Any]]:
    """The model of the days 0 to 89, and the training days' scores by one that learned from their first half."""
    given = json.loads(Path("risk/model/features.json").read_text(encoding="utf-8"))
    features = tuple(feature_of(text) for text in given)
    middle = (TRAINING.first + TRAINING.last) // 2
    made = [
        train(town.history, town.columns, features, Days(0, last), threads=2, say=told.print)
        for last in (TRAINING.last, middle)
    ]
    scores: npt.NDArray[Any] = score_column(made[1], town.columns, len(town.history)).values
    return made[0], scores


def _write(path: Path, found: object) -> None:
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
