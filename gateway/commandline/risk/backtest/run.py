"""Runs a back-test: finds the rule sets, plays them with a progress bar, prints, and writes the page."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.commandline.risk.backtest.history import Source, first_day, history_of
from gateway.commandline.risk.backtest.page import page_of
from gateway.commandline.risk.backtest.tables import tables_of
from gateway.commandline.till.shown import print_json, problems_table, say
from gateway.processes.errors import StackError
from risk.backtest.columns import Columns
from risk.backtest.history import History
from risk.backtest.outcome import Outcome, Wanted, back_test
from risk.backtest.playing import begin_of_day
from risk.fields import MODEL_SCORE
from risk.model.model import Model, ModelError
from risk.model.training import score_column
from risk.rules.compiled import CompiledSet
from risk.rules.document import RuleSetError, parse
from risk.rules.rule import RuleSet

_LIVE: Final = "live"
_UNSAVED: Final = 1
"""The version of a rule set that is only a file; 0 would stand for none."""
_WIDTH: Final = 160
"""Of a table that no terminal shows."""


@dataclass(frozen=True, slots=True)
class Played:
    """As it was asked for on the command line."""

    rule_set: str
    report_from: str | None
    against: str | None
    model: Path | None
    html: Path | None


def run(asked: Played, source: Source, *, as_json: bool) -> None:
    """Play it and say what came of it.  Raises StackError with a sentence."""
    if asked.html is not None and not asked.html.parent.is_dir():  # said before the play
        raise StackError(f"There is no folder {asked.html.parent}.")
    rule_set, version = _rule_set(asked.rule_set, source.state)
    live = _against(asked, source)
    history = history_of(source)
    report_from = first_day(asked.report_from, source, history)
    wanted = Wanted(rule_set, CompiledSet.of(rule_set, version), report_from, live)
    outcome, seconds = _play(wanted, history, _model_of(asked, rule_set, source.state), quiet=as_json)
    if as_json:
        print_json(outcome.to_json())
    else:
        console = Console(width=None if sys.stdout.isatty() else _WIDTH)
        for table in tables_of(outcome):
            console.print(table, markup=False)
        payments = outcome.whole.payments
        told = f"{payments:,} payments decided and {len(history):,} counted in {seconds:.1f} s of CPU time"
        say(f"{told} ({payments / seconds:,.0f} a second)")
    if asked.html is not None:
        asked.html.write_text(page_of(outcome, asked.rule_set), encoding="utf-8")
        say(f"Written: {asked.html}")


def _play(wanted: Wanted, history: History, model: Model | None, *, quiet: bool) -> tuple[Outcome, float]:
    columns = Columns(history)
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = time.process_time()
    with Progress(*bars, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        begin = begin_of_day(history, wanted.report_from_day)
        total = (len(history) - begin) * (1 if wanted.live is None else 2)
        task = progress.add_task("counting", total=None)
        if model is not None:
            columns = Columns(history, {MODEL_SCORE: score_column(model, columns, len(history), begin)})
        names = wanted.compiled.names | (frozenset() if wanted.live is None else wanted.live.names)
        for name in sorted(names):
            progress.update(task, description=f"counting {name}")
            columns.of(name)
        progress.update(task, description="deciding", total=total)
        outcome = back_test(wanted, history, columns, lambda done: progress.advance(task, done))
    return outcome, time.process_time() - began


def _against(asked: Played, source: Source) -> CompiledSet | None:
    """The set to compare with: what was named, else for stored payments what is in force."""
    if asked.against is None and source.files:
        return None
    rule_set, version = _rule_set(asked.against or _LIVE, source.state)
    return CompiledSet.of(rule_set, version) if rule_set.rules else None


def _rule_set(name: str, state: Path) -> tuple[RuleSet, int]:
    """From a file or, by version, from the database.  Raises StackError."""
    if name == _LIVE or name.isdecimal():
        from gateway.commandline.risk.backtest.stored import stored_rule_set  # noqa: PLC0415  (needs a database)

        return stored_rule_set(state, None if name == _LIVE else int(name))
    given = read_json(Path(name))
    try:
        return parse(given, lists=None, models=None), _UNSAVED
    except RuleSetError as error:
        problems = [
            {"path": each.path, "line": each.line, "column": each.column, "message": each.message, "hint": each.hint}
            for each in error.problems
        ]
        Console(stderr=True).print(problems_table(problems), markup=False)
        raise StackError(f"{name} cannot be used.") from None


def _model_of(asked: Played, rule_set: RuleSet, state: Path) -> Model | None:
    """The model that was named, else the stored one that the rule set names."""
    if asked.model is not None:
        return read_model(asked.model)
    if rule_set.model is None:
        return None
    from gateway.commandline.risk.backtest.stored import stored_model  # noqa: PLC0415  (needs a database)

    return stored_model(state, rule_set.model)


def read_model(file: Path) -> Model:
    """A model from a file.  Raises StackError."""
    try:
        return Model.of(read_json(file))
    except ModelError as error:
        raise StackError(f"{file}: {error}") from None


def read_json(file: Path) -> object:
    """Raises StackError."""
    try:
        found: object = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackError(f"{file} could not be read: {error}") from None
    except ValueError as error:
        raise StackError(f"{file} is no JSON: {error}") from None
    return found
