"""`mashang risk backtest` and `mashang risk train`; what they need is imported when they run."""

# ruff: noqa: PLC0415

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.commandline.options import STATE, AsJson, State

_DataFile = Annotated[
    list[Path] | None, typer.Option("--data", help="A CSV file of payments, gzipped or not; may be repeated.")
]
_Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="NAME=HEADING", help="Which column is what, where its heading does not say so."),
]
_Start = Annotated[datetime, typer.Option(help="Times that are numbers are seconds from here (UTC).")]
_Timezone = Annotated[str, typer.Option(help="The merchants' time zone, where the file does not say.")]
_LabelDelay = Annotated[str, typer.Option(help="A label is known so long after its payment, such as 7d.")]
_From = Annotated[datetime | None, typer.Option("--from", help="Stored payments from this day on (UTC).")]
_To = Annotated[datetime | None, typer.Option("--to", help="Stored payments up to this day, without it (UTC).")]
_ModelFile = Annotated[
    Path | None, typer.Option(help="The model that gives model.score, as `risk train` wrote it; else the stored one.")
]
_ReportTo = Annotated[str | None, typer.Option(help="The last day to report, it too; later payments are not read.")]
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (typer knows no zones: it is read as UTC)


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.command("backtest")(backtest)
    risk.command("train")(train)


def backtest(
    rule_set: Annotated[str, typer.Argument(metavar="RULESET", help="A file, a version, or `live`.")],
    *,
    data: _DataFile = None,
    mapped: _Map = None,
    start: _Start = _EPOCH,
    timezone: _Timezone = "UTC",
    label_delay: _LabelDelay = "7d",
    begin: _From = None,
    end: _To = None,
    report_from: Annotated[
        str | None, typer.Option(help="A day's number or date: earlier payments only count in the windows.")
    ] = None,
    report_to: _ReportTo = None,
    against: Annotated[
        str | None, typer.Option(help="A file or a version to compare with; the set in force for stored payments.")
    ] = None,
    model: _ModelFile = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page with charts.")] = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Play a rule set over history: what it would have caught, and whom it would have hit (docs/risk-backtest.md)."""
    from gateway.commandline.risk.backtest.history import Source
    from gateway.commandline.risk.backtest.run import Played, run

    source = Source(tuple(data or ()), tuple(mapped or ()), start, timezone, label_delay, begin, end, state, report_to)
    run(Played(rule_set, report_from, against, model, html), source, as_json=as_json)


def train(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the model goes, a JSON file.")],
    *,
    train_days: Annotated[str, typer.Option(metavar="FIRST-LAST", help="The days to learn from, both within.")],
    data: _DataFile = None,
    mapped: _Map = None,
    start: _Start = _EPOCH,
    timezone: _Timezone = "UTC",
    label_delay: _LabelDelay = "7d",
    begin: _From = None,
    end: _To = None,
    report_from: Annotated[
        str | None, typer.Option(help="Report from this day on; without it from the day after the last one.")
    ] = None,
    report_to: _ReportTo = None,
    features: Annotated[
        Path | None, typer.Option(help="What it looks at: a JSON list of fields and velocities; ours without it.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    note: Annotated[str, typer.Option(help="For those who read the list of models.")] = "",
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Train a model that gives model.score, and report it on the days after those that it learned from."""
    from gateway.commandline.risk.backtest.history import Source
    from gateway.commandline.risk.backtest.training import Lesson, run

    source = Source(tuple(data or ()), tuple(mapped or ()), start, timezone, label_delay, begin, end, state, report_to)
    run(Lesson(out, train_days, report_from, features, threads, note), source, as_json=as_json)
