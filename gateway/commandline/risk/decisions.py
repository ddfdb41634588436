"""`mashang risk explain` and `mashang risk replay`: why a payment was declined, and whether it would be again."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.commandline.options import STATE, AdminUrl, AsJson, State

PaymentId = Annotated[str, typer.Argument(metavar="PAYMENT", help="Its id, “pay_…”.")]
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.command()(explain)
    risk.command()(replay)


def explain(payment: PaymentId, *, url: AdminUrl = None, state: State = STATE, as_json: AsJson = False) -> None:
    """Show what the risk check decided about a payment: rules hit, values seen, version of the rule set."""
    from gateway.commandline.admin import AdminTarget
    from gateway.commandline.risk.explained import show_decision

    show_decision(AdminTarget(url, state), payment, as_json=as_json)


def replay(
    payment: Annotated[str | None, typer.Argument(metavar="PAYMENT", help="One payment, “pay_…”.")] = None,
    *,
    start: Annotated[
        datetime | None, typer.Option("--from", formats=_FORMATS, help="All payments from then on; UTC by default.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=_FORMATS, help="Up to this time; without it, until now.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="The stack; without it the settings of the environment, else .state's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make decisions again of what was stored; exit with 0 only when every one comes out the same, bit for bit."""
    os.environ.pop("MASHANG_METRICS_DIR", None)  # a command's gauges would stand among those of the service
    from gateway.commandline.risk.replay import run_replay

    if (payment is None) == (start is None):
        raise typer.BadParameter("name one payment, or a time with --from")
    raise typer.Exit(run_replay(state, payment, (start, end), json=as_json))
