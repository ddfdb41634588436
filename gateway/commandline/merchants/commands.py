"""`mashang merchant …`: who is paid: made, looked at, given keys and limits, suspended, over the admin API."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

merchant = typer.Typer(help="Merchants, their keys and limits (docs/merchants.md).", no_args_is_help=True)

MerchantName = Annotated[str, typer.Argument(metavar="MERCHANT", help="Its id, “mer_…”.")]
KeyName = Annotated[str, typer.Argument(metavar="KEY", help="Its id, “key_…”.")]
Settings = Annotated[
    list[str], typer.Argument(metavar="FIELD=VALUE…", help="What to change; nothing behind the = takes it away.")
]


@merchant.command("list")
def list_merchants(
    *,
    name: Annotated[str | None, typer.Option(help="A part of the name, in any case.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 50,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print the merchants, the newest first."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import list_merchants as run

    run(AdminTarget(url, state.absolute()), name, limit, as_json=as_json)


@merchant.command("show")
def show(merchant_id: MerchantName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Print a merchant with all that can be set, and its keys."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import show as run

    run(AdminTarget(url, state.absolute()), merchant_id, as_json=as_json)


@merchant.command("add")
def add(
    name: Annotated[str, typer.Argument(help="As customers see it on receipts.")],
    *,
    timezone: Annotated[str, typer.Option(help="Whose days its reports are of.")] = "Asia/Shanghai",
    realm: Annotated[str | None, typer.Option(help="Merchants of one realm share their customers' ids.")] = None,
    category: Annotated[str | None, typer.Option(help="What campaigns and risk rules look at.")] = None,
    region: Annotated[str | None, typer.Option(help="The same.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Of its first key; may be repeated. All without it.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Make a merchant with a first key; the secrets are printed now and never again."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import add as run

    facts = {"name": name, "timezone": timezone, "customer_realm": realm, "category": category, "region": region}
    run(AdminTarget(url, state.absolute()), facts, scope, as_json=as_json)


@merchant.command("set")
def set_fields(
    merchant_id: MerchantName,
    fields: Settings,
    *,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Change a merchant: payments_per_s=50 payments_in_flight_max=200 risk_tier=new region= …; in force in a second."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import change as run

    run(AdminTarget(url, state.absolute()), merchant_id, fields, as_json=as_json)


@merchant.command("suspend")
def suspend(merchant_id: MerchantName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Take nothing more for a merchant: its keys do not work, its codes cannot be paid. Refunds then need `resume`."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import change as run

    run(AdminTarget(url, state.absolute()), merchant_id, ["status=suspended"], as_json=as_json)


@merchant.command("resume")
def resume(merchant_id: MerchantName, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """End a suspension."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import change as run

    run(AdminTarget(url, state.absolute()), merchant_id, ["status=active"], as_json=as_json)


@merchant.command("add-key")
def add_key(
    merchant_id: MerchantName,
    *,
    scope: Annotated[list[str] | None, typer.Option(help="pay, refund, read, webhooks; may be repeated.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Give a merchant another key; its secrets are printed now and never again. A till's key need not refund."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import add_key as run

    run(AdminTarget(url, state.absolute()), merchant_id, scope, as_json=as_json)


@merchant.command("revoke-key")
def revoke_key(merchant_id: MerchantName, key_id: KeyName, *, url: AdminUrl = None, state: State = STATE) -> None:
    """Make a key worthless, within a second at every process."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.merchants.calls import revoke_key as run

    run(AdminTarget(url, state.absolute()), merchant_id, key_id)
