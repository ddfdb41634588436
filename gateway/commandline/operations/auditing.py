"""`mashang audit`: the books, or the trail of changes."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(audit)


def audit(
    *,
    state: Annotated[
        Path | None, typer.Option(help="The stack to audit; without it MASHANG_DATABASE_URL's, else .state's.")
    ] = None,
    simulator: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="A simulator's address; once for each.")
    ] = None,
    client_log: Annotated[
        list[Path] | None, typer.Option(help="A load client's book (JSON lines); may be given more than once.")
    ] = None,
    own_books: Annotated[
        bool, typer.Option("--own-books", help="Leave the channels' books out; in production as long as none is named.")
    ] = False,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="With --own-books: payments since this day (Beijing)."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="With --from: until this day; today without.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="With --own-books: of so many days, today among them.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the stack to become quiet.")] = 0,
    bound: Annotated[float, typer.Option(min=0, help="Seconds for which a payment may be unresolved.")] = 180,
    trail: Annotated[
        bool, typer.Option("--trail", help="Instead, verify the chain of the audit trail, and print its head.")
    ] = False,
    head: Annotated[
        str | None, typer.Option(metavar="SEQ:HASH", help="With --trail: a head that was noted, to compare with.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Join the books (ours, the simulators', the clients') and exit with 0 only when everything agrees."""
    if trail:
        from gateway.audit.trail import run_trail_audit

        raise typer.Exit(run_trail_audit(state, head, json=as_json))
    if head is not None:
        raise typer.BadParameter("--head goes with --trail")
    from gateway.audit.command import Asked, run_audit
    from gateway.audit.run import AuditOptions

    options = AuditOptions(client_logs=tuple(client_log or ()), wait_s=wait, bound_s=bound)
    since, until = (None if each is None else each.date() for each in (first, last))
    asked = Asked(state, tuple(simulator or ()), own_books, since, until, days)
    raise typer.Exit(run_audit(asked, options, json=as_json))
