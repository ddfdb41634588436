"""`mashang risk packs …`: ready packs of rules, shown and published (docs/risk-packs.md)."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

packs = typer.Typer(help="Ready packs of rules for typical patterns (docs/risk-packs.md).", no_args_is_help=True)

PackName = Annotated[str, typer.Argument(metavar="PACK", help="Its name, as `list` shows it.")]
PackNames = Annotated[list[str], typer.Argument(metavar="PACK…", help="Names, as `list` shows them, or `all`.")]


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.add_typer(packs, name="packs")


@packs.command("list")
def list_packs(*, as_json: AsJson = False) -> None:
    """Print the packs that there are."""
    from gateway.commandline.risk.packs.calls import list_packs as run

    run(as_json=as_json)


@packs.command("show")
def show_pack(name: PackName, *, as_json: AsJson = False) -> None:
    """Print a pack's rules; as JSON, the rule set as `mashang risk rules create` takes it."""
    from gateway.commandline.risk.packs.calls import show_pack as run

    run(name, as_json=as_json)


@packs.command("publish")
def publish(
    names: PackNames,
    *,
    onto_live: Annotated[bool, typer.Option("--onto-live", help="Keep the rules in force, and add these.")] = False,
    shadow: Annotated[bool, typer.Option("--shadow", help="Only count what they hit, for now.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Save them, and publish nothing.")] = False,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Publish packs together, instead of the rules in force or onto them."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.packs.calls import Wanted
    from gateway.commandline.risk.packs.calls import publish as run

    wanted = Wanted(tuple(names), onto_live=onto_live, in_shadow=shadow, is_draft=draft)
    run(AdminTarget(url, state.absolute()), wanted, as_json=as_json)
