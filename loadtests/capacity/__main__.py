"""`make capacity`: the simulation held against the measured curve, and the plan; both into docs/capacity.md.

`--measure` takes the measurements anew first (three minutes, a quiet machine) and writes measured.json.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.markdown import Markdown

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.measured import MEASURED_FILE, read_measured
from loadtests.capacity.measuring import measure_all, write_measured
from loadtests.capacity.picture import NoPicture, draw_curve, draw_plan
from loadtests.capacity.report import (
    DOCUMENT,
    THE_CURVE,
    Report,
    as_json,
    blocks,
    inject,
    make_report,
    not_reproduced,
)


def main(
    *,
    measure: Annotated[bool, typer.Option(help="Measure anew first, on a stack of its own.")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="Counted seconds of each point of the curve.")] = 5.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often the curve is measured.")] = 2,
    measured_file: Annotated[Path, typer.Option(help="The measurements to start from, or to write.")] = MEASURED_FILE,
    document: Annotated[Path, typer.Option(help="The document whose tables are put in anew.")] = DOCUMENT,
    results: Annotated[Path, typer.Option(help="Folder of the JSON document.")] = Path("results"),
) -> None:
    """Compute what 1,000 to 50,000 payments a second need, from measured costs.

    Ends with status 1 where the simulation does not reproduce the measured curve.
    """
    console = Console(width=None if sys.stdout.isatty() else 170)
    if measure:
        taken = measure_all(seconds, rounds, lambda line: console.print(line, style="dim", highlight=False))
        write_measured(measured_file, taken)
    report = make_report(read_measured(measured_file), Assumptions())
    made = blocks(report)
    console.print(Markdown("\n\n".join(made.values())))
    document.write_text(inject(document.read_text(encoding="utf-8"), made), encoding="utf-8")
    results.mkdir(parents=True, exist_ok=True)
    (results / "capacity.json").write_bytes(
        orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n"
    )
    _draw(report, document.parent / "pictures", console)
    console.print(f"Written: {document}, {results / 'capacity.json'}")
    if missed := not_reproduced(report.compared):
        console.print(f"Not reproduced: {', '.join(missed)}", style="yellow")
    if THE_CURVE.intersection(missed):
        raise typer.Exit(1)


def _draw(report: Report, folder: Path, console: Console) -> None:
    try:
        draw_curve(report.compared, folder / "capacity-curve.svg")
        draw_plan(report.scales, folder / "capacity-plan.svg")
    except NoPicture as missing:
        console.print(missing.__doc__, style="yellow")


if __name__ == "__main__":
    typer.run(main)
