"""`mashang demo`: what a development stack in containers needs besides its processes.  Refused in production."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.commandline.options import STATE, State

demo = typer.Typer(help="The demo of a development stack in containers.", no_args_is_help=True)


@demo.command("secrets")
def make_secrets(
    *,
    password_file: Annotated[Path, typer.Option(help="Where PostgreSQL's image reads its password.")],
    state: State = STATE,
) -> None:
    """Make the stack's secrets where there are none yet, and write STATE/demo.env for its processes to read.

    MASHANG_DATABASE_URL holds {password} in place of the password.
    """
    from gateway.devstack.containers import make_secrets as run

    typer.echo(f"The processes' secrets are in {run(state.absolute(), password_file)}")


@demo.command("seed")
def seed(
    *,
    reached_as: Annotated[str, typer.Option(help="The host name by which the gateway calls the simulators.")],
    gateway: Annotated[str | None, typer.Option(help="Where --state finds it; MASHANG_PUBLIC_URL without it.")] = None,
    state: State = STATE,
) -> None:
    """Seed the demo's merchants, campaign and rules, and the simulators as accounts; print a payment to paste."""
    from gateway.commandline.environment import read_settings
    from gateway.devstack.containers import seed_demo
    from gateway.devstack.demo import example_command

    settings = read_settings()
    kept = asyncio.run(seed_demo(settings, state.absolute(), reached_as, gateway or settings.public_url))
    if kept.merchant is not None:
        typer.echo(f"Take a payment:\n\n{example_command(settings.public_url, kept.merchant.api_key)}\n")
