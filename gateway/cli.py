"""The command line, `mashang …`.  What a command needs is imported inside it, so that `mashang --help` is quick."""

# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from gateway.commandline.campaigns.commands import campaign
from gateway.commandline.coupons.commands import coupon
from gateway.commandline.demo import demo
from gateway.commandline.environment import read_settings
from gateway.commandline.merchants.commands import merchant
from gateway.commandline.operations import auditing, doctor
from gateway.commandline.options import STATE as _STATE
from gateway.commandline.options import (
    AdminUrl,
    AsJson,
    CardBin,
    Coupons,
    CustomerId,
    Device,
    Key,
    PaymentName,
    State,
    Store,
    Url,
    sale_of,
)
from gateway.commandline.risk.commands import risk
from gateway.commandline.routing import operating as accounts
from gateway.commandline.routing.commands import routing
from gateway.commandline.segments.commands import segments
from gateway.commandline.till.payments import payment

if TYPE_CHECKING:
    from gateway.client.objects import Wallet
    from gateway.settings import Settings

_MASKED: Final = "**********"
_WALLETS: Final = ("wechat", "alipay", "unionpay")

app = typer.Typer(
    name="mashang",
    help="Mashang (码上付): a payment-and-promotion gateway for WeChat Pay, Alipay and UnionPay.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(routing, name="routing")
app.add_typer(campaign, name="campaign")
app.add_typer(coupon, name="coupon")
app.add_typer(demo, name="demo")
app.add_typer(merchant, name="merchant")
app.add_typer(payment, name="payment")
app.add_typer(risk, name="risk")
app.add_typer(segments, name="segments")
accounts.register(routing)
auditing.register(app)
doctor.register(app)


@app.command()
def dev(
    port: Annotated[int | None, typer.Option(help="The gateway's port; without it 8000 or the next free one.")] = None,
    state: State = _STATE,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written once everything answers; STATE/ready.json without it.")
    ] = None,
    demo: Annotated[bool, typer.Option(help="Take one payment per wallet first.")] = True,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes.")] = 1,
) -> None:
    """Run everything here, in the foreground: PostgreSQL, Valkey, simulators, gateway, worker."""
    from gateway.devstack.options import StackOptions, ready_file_of
    from gateway.devstack.stack import run_stack

    state = state.absolute()
    options = StackOptions(
        port=port,
        state=state,
        ready_file=(ready_file or ready_file_of(state)).absolute(),
        demo=demo,
        workers=workers,
    )
    asyncio.run(run_stack(options))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    fd: Annotated[int | None, typer.Option(help="An inherited listening socket, instead of host and port.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the socket.")] = 1,
    ready_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the HTTP service; the settings come from the environment (MASHANG_…)."""
    settings = read_settings()
    from gateway.metrics.folder import count_in, settle

    if settings.metrics_dir is not None and workers == 1:
        count_in(settings.metrics_dir)
    if settings.metrics_dir is not None and fd is None:
        settle(settings.metrics_dir)
    from gateway.commandline.operations.signing import require_rsa
    from gateway.processes.serving import serve_here, serve_many
    from gateway.processes.sockets import listen_exactly
    from gateway.production.refusing import require_safe_beforehand

    require_safe_beforehand(settings)
    _require_schema(settings)
    require_rsa(settings)
    listener = listen_exactly(port, host) if fd is None else socket.socket(fileno=fd)
    if workers > 1:
        asyncio.run(serve_many(listener, workers, settings))
    elif not serve_here(listener, settings, ready_fd):
        raise typer.Exit(3)


@app.command()
def worker() -> None:
    """Run the worker: it resolves what crashes and silent channels leave open."""
    settings = read_settings()
    from gateway.metrics.folder import count_in, of_worker, settle

    if settings.metrics_dir is not None:
        folder = of_worker(settings.metrics_dir, settings.worker_port)
        count_in(folder)
        settle(folder)
    import uvloop

    from gateway.commandline.operations.signing import require_rsa
    from gateway.production.refusing import require_safe_beforehand
    from gateway.workers.main import run

    require_safe_beforehand(settings)
    _require_schema(settings)
    require_rsa(settings)
    uvloop.run(run(settings))


@app.command()
def simulators(
    name: Annotated[str | None, typer.Argument(help="wechat, alipay, unionpay or qra; all four without it.")] = None,
    state: State = _STATE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    reached_as: Annotated[str, typer.Option(help="The host name by which the gateway calls them.")] = "127.0.0.1",
) -> None:
    """Run the channel simulators alone, in the foreground."""
    from gateway.devstack.simulators import PORTS, Doors, run_simulators

    if name is not None and name not in PORTS:
        raise typer.BadParameter(f"there is no simulator {name}; there are {', '.join(PORTS)}")
    names = tuple(PORTS) if name is None else (name,)
    asyncio.run(run_simulators(state.absolute(), names, Doors(host, reached_as)))


@app.command()
def migrate(
    *,
    status: Annotated[
        bool, typer.Option("--status", help="Only tell what would run; exits with 1 where it must.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the statements that would run.")] = False,
    wait: Annotated[
        float | None, typer.Option(min=0, help="Only wait so many seconds until somebody else has done it; 1 if not.")
    ] = None,
) -> None:
    """Bring the database to the newest schema, while payments go on (docs/upgrading.md)."""
    from gateway.commandline.operations import migrate as commands
    from gateway.processes.interrupts import end_at_sigterm

    end_at_sigterm()
    database_url = read_settings().database_url.get_secret_value()
    if wait is not None:
        raise typer.Exit(0 if commands.wait(database_url, wait) else 1)
    if status:
        raise typer.Exit(0 if commands.status(database_url) else 1)
    if dry_run:
        commands.dry_run(database_url)
    else:
        commands.migrate(database_url)


@app.command("settings")
def show_settings(
    check: Annotated[
        bool, typer.Option("--check", help="Instead, print all that production would refuse of them; status 2 if any.")
    ] = False,
) -> None:
    """Print the settings in force, secrets masked; or judge them for production, without asking any server."""
    from pydantic import SecretStr

    settings = read_settings()
    if check:
        from gateway.commandline.operations.doctor import check_settings

        raise typer.Exit(check_settings(settings))
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        variable = field.validation_alias or f"MASHANG_{name.upper()}"
        typer.echo(f"{variable}={_MASKED if isinstance(value, SecretStr) else '' if value is None else value}")


@app.command()
def pay(
    *,
    amount: Annotated[int, typer.Option(min=1, help="In fen.")] = 2599,
    auth_code: Annotated[str | None, typer.Option(help="The customer's code; a new WeChat one without it.")] = None,
    qrcode: Annotated[bool, typer.Option("--qrcode", help="Show a code to scan instead, and wait for it.")] = False,
    wallet: Annotated[str | None, typer.Option(help="Whose code to show; any wallet can pay it without.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a shown code to be paid.")] = 300,
    order_no: Annotated[str | None, typer.Option(help="The till's order number; a new one without it.")] = None,
    store: Store = None,
    customer: CustomerId = None,
    device: Device = None,
    card_bin: CardBin = None,
    coupon: Coupons = None,
    url: Url = None,
    key: Key = None,
    state: State = _STATE,
    as_json: AsJson = False,
) -> None:
    """Take a payment as a till would."""
    from gateway.commandline.connection import Target
    from gateway.commandline.till.commands import PayOrder
    from gateway.commandline.till.commands import pay as run

    if wallet is not None and (not qrcode or wallet not in _WALLETS):
        raise typer.BadParameter(f"--wallet goes with --qrcode and is one of {', '.join(_WALLETS)}")
    if qrcode and auth_code is not None:
        raise typer.BadParameter("--auth-code is what the till scanned; with --qrcode the customer scans")
    sale = sale_of(store, {"id": customer, "device_id": device, "card_bin": card_bin}, coupon)
    order = PayOrder(amount, auth_code, order_no, qrcode, cast("Wallet | None", wallet), sale)
    if not run(order, Target(url, key, state.absolute()), as_json=as_json, wait_s=wait):
        raise typer.Exit(1)


@app.command()
def quote(
    *,
    amount: Annotated[int, typer.Option(min=1, help="In fen.")] = 2599,
    wallet: Annotated[str | None, typer.Option(help="Whose, such as wechat.")] = None,
    auth_code: Annotated[str | None, typer.Option(help="Or a payment code of it; nothing is charged.")] = None,
    qrcode: Annotated[bool, typer.Option("--qrcode", help="As if the customer scanned a code of ours.")] = False,
    store: Store = None,
    customer: CustomerId = None,
    device: Device = None,
    card_bin: CardBin = None,
    coupon: Coupons = None,
    url: Url = None,
    key: Key = None,
    state: State = _STATE,
    as_json: AsJson = False,
) -> None:
    """Print what a customer would pay now, and of each campaign why or why not; nothing is taken or charged."""
    from gateway.commandline.connection import Target
    from gateway.commandline.till.quotes import QuoteOrder
    from gateway.commandline.till.quotes import quote as run

    if wallet is not None and wallet not in _WALLETS:
        raise typer.BadParameter(f"--wallet is one of {', '.join(_WALLETS)}")
    order = QuoteOrder(
        amount_fen=amount,
        wallet=cast("Wallet | None", wallet),
        auth_code=auth_code,
        method="qrcode" if qrcode else "barcode",
        store_id=store,
        customer={"id": customer, "device_id": device, "card_bin": card_bin},
        coupons=tuple(coupon or ()),
    )
    run(order, Target(url, key, state.absolute()), as_json=as_json)


@app.command()
def refund(
    payment: PaymentName,
    *,
    amount: Annotated[int | None, typer.Option(min=1, help="In fen; all that is left without it.")] = None,
    refund_no: Annotated[str | None, typer.Option(help="The till's refund number; a new one without it.")] = None,
    reason: Annotated[str | None, typer.Option(help="For the customer and the books.")] = None,
    url: Url = None,
    key: Key = None,
    state: State = _STATE,
    as_json: AsJson = False,
) -> None:
    """Give a payment back, in part or in whole."""
    from gateway.commandline.connection import Target
    from gateway.commandline.till.commands import RefundOrder
    from gateway.commandline.till.commands import refund as run

    order = RefundOrder(payment, amount, refund_no, reason)
    if not run(order, Target(url, key, state.absolute()), as_json=as_json):
        raise typer.Exit(1)


@app.command()
def scan(
    code: Annotated[str, typer.Argument(help="What the code on display holds, such as weixin://…")],
    *,
    decline: Annotated[bool, typer.Option("--decline", help="Look, and do not pay.")] = False,
    wallet: Annotated[
        str | None, typer.Option(help="wechat, alipay or unionpay, for a code that all three can scan.")
    ] = None,
    state: State = _STATE,
) -> None:
    """Play the customer of a development stack: scan a wallet's code and pay."""
    from gateway.commandline.till.customer import scan as run

    if not run(code, state.absolute(), decline=decline, wallet=wallet):
        raise typer.Exit(1)


reviews = typer.Typer(help="What waits for a person: look at it, or settle it.", no_args_is_help=True)
app.add_typer(reviews, name="review")


@reviews.command("list")
def list_reviews(
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the channels how it stands there now.")] = False,
    url: AdminUrl = None,
    state: State = _STATE,
    as_json: AsJson = False,
) -> None:
    """Print what is in review, and the verdicts that fit (docs/reviews.md)."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.operations.reviews import list_reviews as run

    run(AdminTarget(url, state.absolute()), refresh=refresh, as_json=as_json)


@reviews.command("settle")
def settle_review(
    review: Annotated[str, typer.Argument(metavar="REVIEW", help="Its id, as the list shows it.")],
    verdict: Annotated[str, typer.Argument(help="One of the verdicts that the list shows beside it.")],
    *,
    by: Annotated[str, typer.Option(help="Who decides.")],
    note: Annotated[str | None, typer.Option(help="What was seen, and where.")] = None,
    url: AdminUrl = None,
    state: State = _STATE,
    as_json: AsJson = False,
) -> None:
    """Carry a verdict out."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.operations.reviews import settle

    body = {"verdict": verdict, "by": by, **({} if note is None else {"note": note})}
    settle(review, body, AdminTarget(url, state.absolute()), as_json=as_json)


@app.command("trail")
def list_trail(
    *,
    subject: Annotated[str | None, typer.Option(help="The id that it was done to, such as an account's.")] = None,
    action: Annotated[str | None, typer.Option(help="What was done, such as channel_account.changed.")] = None,
    since: Annotated[str | None, typer.Option(help="Not before this time, such as 2026-11-22T00:00:00+08:00.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 20,
    url: AdminUrl = None,
    state: State = _STATE,
    as_json: AsJson = False,
) -> None:
    """Print who changed what over the admin API, newest first (docs/audit.md)."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.operations.trail import list_trail as run

    filters = {"subject": subject, "action": action, "at_from": since, "at_to": until}
    run(AdminTarget(url, state.absolute()), filters, limit, as_json=as_json)


@app.command()
def seed(
    *,
    payments: Annotated[int, typer.Option(min=1, help="How many payments.")] = 1_000_000,
    merchants: Annotated[int, typer.Option(min=1, max=1_000_000, help="Of how many merchants.")] = 1_000,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Over so many days until now.")] = 90,
    state: Annotated[
        Path | None, typer.Option(help="The stack to seed; without it MASHANG_DATABASE_URL's, else .state's.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=32, help="So many chunks at once.")] = 2,
    yes: Annotated[bool, typer.Option("--yes", help="Also in production, and beside real payments.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take out what was seeded.")] = False,
) -> None:
    """Give a database a long history of payments, to see how it does when it has grown (docs/growing.md)."""
    from gateway.commandline.operations.seed import SeedOrder, unseed
    from gateway.commandline.operations.seed import seed as run

    if remove:
        unseed(state)
    else:
        run(SeedOrder(payments, merchants, days, state, connections, yes))


@app.command()
def retention(
    *,
    months: Annotated[
        int | None, typer.Option(min=13, help="Retire what is older than so many months; only look without it.")
    ] = None,
    archive: Annotated[Path | None, typer.Option(help="Folder for the months that are taken out.")] = None,
    no_archive: Annotated[bool, typer.Option("--no-archive", help="Drop them without a copy.")] = False,
    state: Annotated[
        Path | None, typer.Option(help="The stack; without it MASHANG_DATABASE_URL's, else .state's.")
    ] = None,
) -> None:
    """Print the months of payments, or take old ones out of the database while payments go on (docs/growing.md)."""
    from gateway.commandline.operations.retention import RetentionOrder
    from gateway.commandline.operations.retention import retention as run

    if not run(RetentionOrder(months, archive, no_archive, state)):
        raise typer.Exit(1)


def _require_schema(settings: Settings) -> None:
    """Raises StackError where the database's schema is too old for this code, or has gone past it."""
    from gateway.commandline.operations.migrate import require_schema

    require_schema(settings.database_url.get_secret_value())


def main() -> None:
    """Run a command; what a person can mend is told in a sentence instead of a traceback."""
    from gateway.processes.errors import StackError

    try:
        app()
    except StackError as error:
        typer.echo(f"mashang: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
