"""`mashang segments …`: which segments of customers there are, who is put in and taken out (docs/campaigns.md)."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

segments = typer.Typer(help="Segments of customers (docs/campaigns.md).", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="SEGMENT", help="Its name, such as “vip”.")]
CustomersFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The till's own ids, one a line.", exists=True, dir_okay=False)
]
Merchant = Annotated[str | None, typer.Option(help="Whose customers; the demo merchant's where nobody is named.")]
Realm = Annotated[str | None, typer.Option(help="Whose customers, where merchants share them.")]


@segments.command("list")
def list_segments(*, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Print which segments there are, and how many customers are in each."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.segments.calls import list_segments as run

    run(AdminTarget(url, state.absolute()), as_json=as_json)


@segments.command("add")
def add(
    name: Name,
    file: CustomersFile,
    *,
    merchant: Merchant = None,
    realm: Realm = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Put customers into a segment, which is made where it is not there; can be sent again."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.owner import Owner
    from gateway.commandline.segments.calls import add as run

    run(AdminTarget(url, state.absolute()), name, file, Owner(merchant, realm), as_json=as_json)


@segments.command("remove")
def remove(
    name: Name,
    file: CustomersFile,
    *,
    merchant: Merchant = None,
    realm: Realm = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Take customers out of a segment; whoever is not in it is passed over."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.owner import Owner
    from gateway.commandline.segments.calls import remove as run

    run(AdminTarget(url, state.absolute()), name, file, Owner(merchant, realm), as_json=as_json)


@segments.command("find")
def find(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The till's own id.")],
    *,
    merchant: Merchant = None,
    realm: Realm = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print which segments a customer is in."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.owner import Owner
    from gateway.commandline.segments.calls import find as run

    run(AdminTarget(url, state.absolute()), customer, Owner(merchant, realm), as_json=as_json)


@segments.command("delete")
def delete(name: Name, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Take everybody out of a segment, and delete it."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.segments.calls import delete as run

    run(AdminTarget(url, state.absolute()), name, as_json=as_json)
