"""`mashang risk models …`: the models that rule sets can name, over the admin API."""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

models = typer.Typer(help="Models that give model.score: save one, look at them.", no_args_is_help=True)
_PATH: Final = "/admin/v1/risk/models"
_PAGE: Final = 50


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.add_typer(models, name="models")


@models.command("save")
def save_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `mashang risk train` wrote it.")],
    *,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Save a model as a new version; it is asked once a rule set in force names it."""
    from gateway.commandline.admin import AdminTarget, call_admin
    from gateway.commandline.risk.backtest.run import read_model
    from gateway.commandline.till.shown import print_json, say

    model = read_model(file)
    found = call_admin(AdminTarget(url, state.absolute()), "POST", _PATH, json=model.to_json())
    if as_json:
        print_json(found)
    else:
        say(f'Saved as version {found["version"]}: name it in a rule set with "model": {found["version"]}.')


@models.command("list")
def list_models(*, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Print the models, the newest first."""
    from rich.console import Console
    from rich.table import Table

    from gateway.commandline.admin import AdminTarget, call_admin
    from gateway.commandline.till.shown import print_json

    found = call_admin(AdminTarget(url, state.absolute()), "GET", _PATH, params={"limit": _PAGE})
    if as_json:
        print_json(found)
        return
    table = Table("version", "made", "note", "trees", "features", "average precision")
    for each in found["data"]:
        trained = each["trained"]
        cells = (str(each["version"]), each["created_at"][:16], each["note"], str(trained.get("trees", "–")))
        table.add_row(*cells, str(len(each["features"])), _precision(trained))
    Console().print(table, markup=False)


@models.command("show")
def show_model(
    version: Annotated[int, typer.Argument(min=1)],
    *,
    out: Annotated[Path | None, typer.Option(help="Write the whole model into this file.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
) -> None:
    """Print what a model looks at and how it was made."""
    import json

    from gateway.commandline.admin import AdminTarget, call_admin
    from gateway.commandline.till.shown import print_json, say

    found = call_admin(AdminTarget(url, state.absolute()), "GET", f"{_PATH}/{version}")
    if out is None:
        print_json({name: value for name, value in found.items() if name != "trees"})
        return
    document = {"format": 1, **{name: found[name] for name in ("note", "features", "trained", "trees")}}
    out.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
    say(f"Written: {out}")


def _precision(trained: dict[str, Any]) -> str:
    reported = trained.get("reported") or {}
    value = reported.get("average_precision")
    return "–" if value is None else f"{value:.4f}"
