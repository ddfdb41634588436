"""`mashang payment …`: look at one, ask why it had no discount, cancel it."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, Key, PaymentName, State, Url

payment = typer.Typer(help="Look at a payment, or cancel it.", no_args_is_help=True)


@payment.command("show")
def show(
    name: PaymentName,
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the channel first where it is not decided.")] = False,
    url: Url = None,
    key: Key = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print a payment and its refunds; by the admin token instead of a key, anybody's, with its attempts."""
    from gateway.commandline.admin import AdminTarget, is_for_operators
    from gateway.commandline.connection import Target
    from gateway.commandline.till.commands import show_any_payment, show_payment

    if key is None and is_for_operators(url, state.absolute()):
        if refresh:
            raise typer.BadParameter("--refresh goes with the merchant's --key")
        show_any_payment(name, AdminTarget(url, state.absolute()), as_json=as_json)
    else:
        show_payment(name, Target(url, key, state.absolute()), refresh=refresh, as_json=as_json)


@payment.command("why")
def why(
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT", help="Its id, “pay_…”.")],
    *,
    url: AdminUrl = None,
    state: State = STATE,
    as_json: AsJson = False,
) -> None:
    """Print of each campaign that met the payment why it had its discount, or why not."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.till.quotes import why as run

    run(payment_id, AdminTarget(url, state.absolute()), as_json=as_json)


@payment.command("cancel")
def cancel(
    name: PaymentName, *, url: Url = None, key: Key = None, state: State = STATE, as_json: AsJson = False
) -> None:
    """Close, reverse or void a payment."""
    from gateway.commandline.connection import Target
    from gateway.commandline.till.commands import cancel as run

    if not run(name, Target(url, key, state.absolute()), as_json=as_json):
        raise typer.Exit(1)
