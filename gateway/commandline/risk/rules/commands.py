"""`mashang risk rules …`: check, keep, publish and compare versions of the risk rules, over the admin API."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

rules = typer.Typer(help="The risk rules: check them, publish them, go back.", no_args_is_help=True)

RuleSetFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The rule set as JSON, also as `show --json` prints it; - reads stdin.")
]
Version = Annotated[int, typer.Argument(min=0, metavar="VERSION", help="Its number, as `versions` lists it.")]
Base = Annotated[
    int | None, typer.Option(min=0, help="Refused where another version than this one is in force by then.")
]


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.add_typer(rules, name="rules")


@rules.command("check")
def check_rules(file: RuleSetFile, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Print all that is wrong with a rule set, and which of its tests fail; exits with 1 where there is anything."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import check

    if not check(AdminTarget(url, state.absolute()), file, as_json=as_json):
        raise typer.Exit(1)


@rules.command("create")
def create_rules(
    file: RuleSetFile,
    *,
    note: Annotated[str | None, typer.Option(help="Why, instead of the file's note.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Save a rule set as a draft: nothing is screened by it before it is published."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import create

    create(AdminTarget(url, state.absolute()), file, note, as_json=as_json)


@rules.command("publish")
def publish_rules(
    version: Version, *, base: Base = None, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False
) -> None:
    """Put a version in force; refused where a test of its rules fails."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import step

    step(AdminTarget(url, state.absolute()), version, "publish", base, as_json=as_json)


@rules.command("roll-back")
def roll_rules_back(
    version: Version, *, base: Base = None, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False
) -> None:
    """Put a version in force again that was before; 0 ends all rules."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import step

    step(AdminTarget(url, state.absolute()), version, "roll_back", base, as_json=as_json)


@rules.command("diff")
def compare_rules(
    before: Version,
    after: Annotated[
        int | None,
        typer.Argument(min=0, metavar="[AFTER]", help="Without it: the version compared with that in force."),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="So many rules at most.")] = 100,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print what AFTER has otherwise than VERSION; with one alone, what it would change of the rules in force."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import diff

    target = AdminTarget(url, state.absolute())
    if after is None:
        diff(target, before, None, limit, as_json=as_json)
    else:
        diff(target, after, before, limit, as_json=as_json)


@rules.command("versions")
def list_versions(
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="So many at most.")] = 20,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print the versions, the newest first."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import versions

    versions(AdminTarget(url, state.absolute()), limit, as_json=as_json)


@rules.command("show")
def show_rules(
    version: Annotated[int | None, typer.Argument(min=0, help="Which one; that in force without it.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="So many rules at most; --json prints all.")] = 100,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print a version with its rules.  What --json prints can be edited, and created as a new version."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import show

    show(AdminTarget(url, state.absolute()), version, limit, as_json=as_json)


@rules.command("change")
def change_rule(
    code: Annotated[str, typer.Argument(metavar="CODE", help="The rule's code.")],
    *,
    mode: Annotated[str | None, typer.Option(help="live or shadow.")] = None,
    rollout: Annotated[int | None, typer.Option(min=0, max=100, help="To so many percent of the customers.")] = None,
    priority: Annotated[int | None, typer.Option(min=0, help="The highest that hits decides.")] = None,
    score: Annotated[int | None, typer.Option(min=0, max=100, help="What a hit adds to the payment's score.")] = None,
    version: Annotated[int | None, typer.Option(min=0, help="Of which version; of that in force without it.")] = None,
    note: Annotated[str | None, typer.Option(help="Why; without it, what was changed.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Save a draft that differs from a version in one rule; publish it to have it in force."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.rules.calls import change

    changes = {"mode": mode, "rollout": rollout, "priority": priority, "score": score}
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise typer.BadParameter("say what is to change: --mode, --rollout, --priority or --score")
    change(AdminTarget(url, state.absolute()), version, code, given, note, as_json=as_json)
