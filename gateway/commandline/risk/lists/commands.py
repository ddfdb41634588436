"""`mashang risk lists …`: what stands on the risk check's lists and why; add, remove, import (docs/risk-lists.md)."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

_FIELDS: Final = "customer, device, ip, card, merchant, store, terminal, region or payer"

lists = typer.Typer(help="Lists: block, allow, watch, and those that were made.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="LIST", help="The list's name, such as “block”.")]
FieldName = Annotated[str, typer.Argument(metavar="FIELD", help=f"What is listed: {_FIELDS}.")]
Values = Annotated[list[str], typer.Argument(metavar="VALUE…", help="Up to 1,000.")]
Merchant = Annotated[
    str | None, typer.Option(help="Whose customers, devices, stores or tills; the demo merchant's where none is named.")
]
Realm = Annotated[str | None, typer.Option(help="Whose customers or devices, where merchants share them.")]
Why = Annotated[str, typer.Option(help="Why they are listed.")]
Until = Annotated[str | None, typer.Option(help="Until when, such as 2027-01-01T00:00:00Z; for ever without it.")]


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.add_typer(lists, name="lists")


@lists.command("show")
def show(
    name: Annotated[str | None, typer.Argument(metavar="LIST", help="What stands on it; all lists without it.")] = None,
    *,
    field: Annotated[str | None, typer.Option(help=f"Only this: {_FIELDS}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="So many entries at most.")] = 20,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print which lists there are, or what stands on one; persons' values are masked."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.lists.calls import show_entries, show_lists

    target = AdminTarget(url, state.absolute())
    if name is None:
        show_lists(target, as_json=as_json)
    else:
        show_entries(target, name, field, limit, as_json=as_json)


@lists.command("create")
def create(
    name: Name,
    *,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Make a list; rules ask for it as `listed('LIST', 'customer')`."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.lists.calls import create as run

    run(AdminTarget(url, state.absolute()), name, description, as_json=as_json)


@lists.command("delete")
def delete(name: Name, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Delete a list with all that stands on it."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.lists.calls import delete as run

    run(AdminTarget(url, state.absolute()), name, as_json=as_json)


@lists.command("add")
def add(
    name: Name,
    field: FieldName,
    values: Values,
    *,
    reason: Why,
    merchant: Merchant = None,
    realm: Realm = None,
    until: Until = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Put values on a list; every process knows within a second."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.owner import Owner
    from gateway.commandline.risk.lists.calls import add as run

    target = AdminTarget(url, state.absolute())
    run(target, name, (field, values), Owner(merchant, realm), reason=reason, until=until, as_json=as_json)


@lists.command("remove")
def remove(
    name: Name,
    field: FieldName,
    values: Values,
    *,
    merchant: Merchant = None,
    realm: Realm = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Take values off a list, each as it was put there."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.owner import Owner
    from gateway.commandline.risk.lists.calls import remove as run

    run(AdminTarget(url, state.absolute()), name, (field, values), Owner(merchant, realm), as_json=as_json)


@lists.command("find")
def find(
    field: FieldName,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Such as a customer's id or an address.")],
    *,
    merchant: Merchant = None,
    realm: Realm = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print on which lists a value stands, and why: ranges that hold an address, BINs that a card begins with."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.owner import Owner
    from gateway.commandline.risk.lists.calls import find as run

    run(AdminTarget(url, state.absolute()), field, value, Owner(merchant, realm), as_json=as_json)


@lists.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv",
            exists=True,
            dir_okay=False,
            help="Its header: `value`; where rows differ also `field`, `merchant_id`, `realm`, `expires_at`, `reason`.",
        ),
    ],
    name: Annotated[str, typer.Option("--list", help="The list's name.")] = "block",
    *,
    field: Annotated[str | None, typer.Option(help=f"Of rows that say none: {_FIELDS}.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why they are listed; the file's name without it.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Nothing else stays on the list.")] = False,
    merchant: Merchant = None,
    realm: Realm = None,
    until: Until = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Import up to ten million entries; the same command again goes on where it broke off."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.owner import Owner
    from gateway.commandline.risk.lists.importing import Defaults
    from gateway.commandline.risk.lists.importing import import_file as run

    target = AdminTarget(url, state.absolute())
    defaults = Defaults(field, Owner(merchant, realm), until)
    run(target, name, file, defaults, reason=reason or file.name, replaces=replace, as_json=as_json)


@lists.command("abandon")
def abandon(
    name: Name,
    import_id: Annotated[str, typer.Argument(metavar="IMPORT", help="Its id, “imp_…”.")],
    *,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Give an import up: what it has merged stays, what was to replace the list is dropped."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.lists.calls import abandon as run

    run(AdminTarget(url, state.absolute()), name, import_id, as_json=as_json)
