"""`mashang routing …`: the policy, why a payment goes where it goes, and how the accounts do, over the admin API."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

routing = typer.Typer(help="Where payments go: policy, explanation, accounts (docs/routing.md).", no_args_is_help=True)
policy = typer.Typer(help="The routing policy: look at it, check it, publish it, go back.", no_args_is_help=True)
routing.add_typer(policy, name="policy")

PolicyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The policy as JSON, also as `show --json` prints it; - reads stdin.")
]


@policy.command("show")
def show_policy(
    version: Annotated[int | None, typer.Argument(min=0, help="Which one; that in force without it.")] = None,
    *,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print a policy.  What --json prints can be edited and put: it is refused if another came between."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.routing.policy import show

    show(AdminTarget(url, state.absolute()), version, as_json=as_json)


@policy.command("check")
def check_policy(
    file: PolicyFile,
    *,
    payments: Annotated[
        int, typer.Option(min=0, max=1_000, help="How many of the newest payments to match with it.")
    ] = 500,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print all that is wrong with a policy, or what its rules would match; exits with 1 where something is wrong."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.routing.policy import check

    if not check(AdminTarget(url, state.absolute()), file, payments, as_json=as_json):
        raise typer.Exit(1)


@policy.command("put")
def put_policy(
    file: PolicyFile,
    *,
    note: Annotated[str | None, typer.Option(help="Why, instead of the file's note.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Publish a policy: every process follows within a second.  One with a problem is refused, and nothing changes."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.routing.policy import put

    put(AdminTarget(url, state.absolute()), file, note, as_json=as_json)


@policy.command("versions")
def list_versions(
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="So many at most.")] = 20,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print the versions, the newest first."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.routing.policy import versions

    versions(AdminTarget(url, state.absolute()), limit, as_json=as_json)


@policy.command("rollback")
def roll_policy_back(
    version: Annotated[
        int | None, typer.Argument(min=0, help="To which one; that which the present one replaced without it.")
    ] = None,
    *,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Put an earlier version in force again."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.routing.policy import roll_back

    roll_back(AdminTarget(url, state.absolute()), version, as_json=as_json)


@routing.command("explain")
def explain_payment(
    payment: Annotated[str | None, typer.Argument(metavar="PAYMENT", help="A payment's id.")] = None,
    *,
    amount: Annotated[int | None, typer.Option(min=1, help="Without a payment: in fen.")] = None,
    wallet: Annotated[str | None, typer.Option(help="Whose, such as wechat.")] = None,
    auth_code: Annotated[str | None, typer.Option(help="Or a payment code of it.")] = None,
    method: Annotated[str | None, typer.Option(help="barcode, qrcode or page.")] = None,
    merchant: Annotated[str | None, typer.Option(help="mer_…")] = None,
    store: Annotated[str | None, typer.Option(help="The store's id.")] = None,
    terminal: Annotated[str | None, typer.Option(help="The till's id.")] = None,
    operator: Annotated[str | None, typer.Option(help="The cashier's id.")] = None,
    card_bin: Annotated[str | None, typer.Option(help="The first 6 to 8 digits of the card.")] = None,
    static_code: Annotated[bool, typer.Option("--static-code", help="A code on the wall was scanned.")] = False,
    at: Annotated[datetime | None, typer.Option(help="As if it were then, in this machine's time zone.")] = None,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print why a payment went where it went and where it would go now; or where a sale like this would go."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.routing.explain import explain

    facts = {
        "payment_id": payment,
        "amount": amount,
        "wallet": wallet,
        "auth_code": auth_code,
        "method": method,
        "merchant_id": merchant,
        "store_id": store,
        "terminal_id": terminal,
        "operator_id": operator,
        "card_bin": card_bin,
        "static_code": static_code or None,
        "at": None if at is None else at.astimezone().isoformat(),
    }
    given = {name: value for name, value in facts.items() if value is not None}
    if not given:
        raise typer.BadParameter("name a payment, or describe a sale: --amount and --wallet")
    explain(AdminTarget(url, state.absolute()), given, as_json=as_json)


@routing.command("accounts")
def list_accounts(*, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Print how the channel accounts do, as the process sees it that answers."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.routing.accounts import show_accounts

    show_accounts(AdminTarget(url, state.absolute()), as_json=as_json)


@routing.command("simulate")
def simulate_scenario(
    scenario: Annotated[
        str | None, typer.Argument(help="The name of a ready scenario, or a TOML file; without it, what there is.")
    ] = None,
    *,
    seeds: Annotated[int, typer.Option(min=1, max=1_000, help="How often, each time with other luck.")] = 20,
    traffic: Annotated[
        Path | None, typer.Option(help="Recorded payments instead of drawn ones: CSV with the columns at and amount.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the first seed here (.svg, .png, .pdf).")] = None,
    report: Annotated[Path | None, typer.Option(help="Write every figure here, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play an outage, a price change, a new route: our routing beside others and an all-knowing oracle."""
    from gateway.commandline.routing.simulate import Wish, list_scenarios, simulate

    if scenario is None:
        list_scenarios()
    else:
        simulate(Wish(scenario, seeds, traffic, picture, report), as_json=as_json)
