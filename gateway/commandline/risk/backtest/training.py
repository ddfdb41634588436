"""Trains a model from a history, writes it, and reports it on days that it has not seen."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.commandline.risk.backtest.history import Source, day_of, history_of
from gateway.commandline.risk.backtest.run import read_json
from gateway.commandline.risk.backtest.tables import share
from gateway.commandline.till.shown import print_json, say
from gateway.processes.errors import StackError
from risk.backtest.columns import Columns
from risk.backtest.history import History
from risk.backtest.playing import begin_of_day
from risk.backtest.ranking import average_precision, customer_precision
from risk.model.feature import FEATURES_MAX, Feature, FeatureError, feature_of
from risk.model.model import NOTE_LENGTH_MAX, Model
from risk.model.training import Days, TrainingError, score_column, train

_DAYS: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Lesson:
    """As it was asked for on the command line."""

    out: Path
    train_days: str
    report_from: str | None
    features: Path | None
    threads: int
    note: str


def run(lesson: Lesson, source: Source, *, as_json: bool) -> None:
    """Train, write, report.  Raises StackError with a sentence."""
    days, features = _days_of(lesson.train_days), _features(lesson.features)
    if not lesson.out.absolute().parent.is_dir():  # said before the training
        raise StackError(f"There is no folder {lesson.out.parent}.")
    if len(lesson.note) > NOTE_LENGTH_MAX:
        raise StackError(f"A note has at most {NOTE_LENGTH_MAX} characters.")
    history = history_of(source)
    report_from = None if lesson.report_from is None else day_of(lesson.report_from, history)
    columns = Columns(history)
    try:
        model = train(history, columns, features, days, threads=lesson.threads, say=say)
    except TrainingError as error:
        raise StackError(str(error)) from None
    reported = _reported(model, history, columns, days.last + 1 if report_from is None else report_from)
    model = replace(model, note=lesson.note, trained={**model.trained, "reported": reported})
    lesson.out.write_text(json.dumps(model.to_json(), separators=(",", ":")) + "\n", encoding="utf-8")
    if as_json:
        print_json(model.trained)
    else:
        _print(model.trained)
    say(f"Written: {lesson.out}")


def _days_of(text: str) -> Days:
    found = _DAYS.fullmatch(text)
    if found is None or int(found[1]) >= int(found[2]):
        raise StackError(f"--train-days takes FIRST-LAST, such as 0-89, not {text}.")
    return Days(int(found[1]), int(found[2]))


def _features(file: Path | None) -> tuple[Feature, ...]:
    given = json.loads((files("risk.model") / "features.json").read_text()) if file is None else read_json(file)
    if not isinstance(given, list) or not 1 <= len(given) <= FEATURES_MAX:
        raise StackError(f"Features are a JSON list of 1 to {FEATURES_MAX} texts.")
    try:
        return tuple(feature_of(str(text)) for text in given)
    except FeatureError as error:
        raise StackError(str(error)) from None


def _reported(model: Model, history: History, columns: Columns, day: int) -> dict[str, Any] | None:
    """What the model reaches on the days from one on; None where there are none."""
    begin = begin_of_day(history, day)
    if begin == len(history):
        return None
    scores = score_column(model, columns, len(history), begin).values[begin:]
    fraud, days = history.fraud[begin:], history.days[begin:]
    return {
        "days": [int(days[0]), int(days[-1])],
        "payments": len(fraud),
        "frauds": int(fraud.sum()),
        "average_precision": average_precision(fraud, scores),
        "customer_precision": customer_precision(fraud, scores, days, history.codes(("customer",))[begin:]),
    }


def _print(trained: dict[str, Any] | Any) -> None:
    table = Table(show_header=False, title="model", title_justify="left")
    first, last = trained["days"]
    table.add_row(
        "learned from", f"days {first} to {last}: {trained['payments']:,} payments, {trained['frauds']:,} frauds"
    )
    table.add_row("chosen there", f"{trained['trees']} trees of depth {trained['depth']}")
    reported = trained["reported"]
    if reported is not None:
        first, last = reported["days"]
        table.add_row(
            "reported on", f"days {first} to {last}: {reported['payments']:,} payments, {reported['frauds']:,} frauds"
        )
        table.add_row("average precision", share(reported["average_precision"], 4))
        table.add_row("precision of 100 customers a day", share(reported["customer_precision"], 4))
    Console().print(table, markup=False)
