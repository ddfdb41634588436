"""`mashang routing simulate`: plays a scenario and prints what came of it, as a table, as JSON and as a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.commandline.till.shown import say
from gateway.processes.errors import StackError
from routing.simulation.measures import Spread, troubled_phase
from routing.simulation.picture import NoPicture, draw
from routing.simulation.running import ORACLE, Outcome, play, play_all
from routing.simulation.scenario import ScenarioError, load, ready_names

_PICTURES: Final = (".svg", ".png", ".pdf")
_WIDTH: Final = 160
"""Of a table that no terminal shows."""

Spreads: TypeAlias = Mapping[str, Spread | None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to play.  `picture` is drawn from the first seed; `report` gets every figure as JSON."""

    scenario: str
    seeds: int
    traffic: Path | None
    picture: Path | None
    report: Path | None


def simulate(wish: Wish, *, as_json: bool) -> None:
    """Play it.  Raises StackError with a sentence."""
    if wish.picture is not None and wish.picture.suffix not in _PICTURES:
        raise StackError(f"A picture ends in one of {', '.join(_PICTURES)}, not in {wish.picture.suffix or 'nothing'}.")
    for file in filter(None, (wish.picture, wish.report)):
        if not file.parent.is_dir():  # said before the play, which takes minutes
            raise StackError(f"There is no folder {file.parent}.")
    try:
        outcome = _play(wish, quiet=as_json)
    except ScenarioError as error:
        raise StackError(str(error)) from error
    if wish.report is not None:
        _write(wish.report, json.dumps(outcome.to_json(), ensure_ascii=False, indent=1) + "\n")
    if as_json:
        sys.stdout.write(json.dumps(outcome.to_json(), ensure_ascii=False) + "\n")
    else:
        _print(outcome)
    if wish.picture is not None:
        _draw(wish, outcome)


def list_scenarios() -> None:
    """Print the ready scenarios."""
    table = Table(box=None, show_header=False)
    for name in ready_names():
        table.add_row(name, load(name).about)
    Console().print(table, markup=False)


def _play(wish: Wish, *, quiet: bool) -> Outcome:
    scenario = load(wish.scenario)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task(f"{scenario.name}, seed by seed", total=wish.seeds)
        seeds = range(1, wish.seeds + 1)
        return play_all(scenario, seeds, wish.traffic, told=lambda: progress.advance(task))


def _print(outcome: Outcome) -> None:
    """Shares in percent with the standard deviation over the seeds; the best to be had is the oracle's."""
    scenario = outcome.scenario
    per_seed = outcome.by_strategy[ORACLE]["payments"]
    say(f"{scenario.name}: {scenario.about}")
    say(f"{len(outcome.seeds)} seeds, about {per_seed.mean if per_seed else 0:,.0f} payments each; ± is over the seeds")
    seeds = len(outcome.seeds)
    columns: list[tuple[str, Callable[[str, Spreads], str]]] = [
        ("", lambda name, _: name),
        ("lost %", lambda _, found: _percent(found["lost"])),
        ("fees %", lambda _, found: _percent(found["fees"], digits=3)),
        ("more lost than the oracle %", lambda name, _: _percent(outcome.regret[name])),
        ("worth missed %", lambda name, _: _percent(outcome.value_regret[name])),
        ("open at once", lambda _, found: _plain(found["in_flight_max"], seeds, digits=0)),
    ]
    if troubled_phase(scenario) is not None:
        columns += [
            ("left after s", lambda _, found: _plain(found["left_s"], seeds)),
            ("sent there after that", lambda _, found: _plain(found["strays"], seeds, digits=0)),
            ("back after s", lambda _, found: _plain(found["back_s"], seeds)),
        ]
    table = Table()
    for heading, _ in columns:
        table.add_column(heading, justify="right" if heading else "left")
    for name, found in outcome.by_strategy.items():
        table.add_row(*[show(name, found) for _, show in columns])
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table, markup=False)


def _draw(wish: Wish, outcome: Outcome) -> None:
    assert wish.picture is not None
    try:
        draw(outcome.scenario, play(outcome.scenario, outcome.seeds[0], wish.traffic), wish.picture)
    except NoPicture:
        raise StackError("Pictures need matplotlib: the extra `charts` of pyproject.toml has it") from None
    except OSError as error:
        raise StackError(f"The picture could not be written: {error}") from error
    say(f"The picture of seed {outcome.seeds[0]}: {wish.picture}")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StackError(f"The report could not be written: {error}") from error


def _percent(spread: Spread | None, digits: int = 2) -> str:
    return "" if spread is None else f"{100 * spread.mean:.{digits}f} ± {100 * spread.deviation:.{digits}f}"


def _plain(spread: Spread | None, seeds: int, digits: int = 1) -> str:
    """Mean … most; in how many of the seeds it happened, where that is not in all."""
    if spread is None:
        return "never"
    often = "" if spread.count == seeds else f" ({spread.count} of {seeds})"
    return f"{spread.mean:.{digits}f} … {spread.most:.{digits}f}{often}"
