"""`mashang doctor`: what is wrong with a deployment and what to do, and the same of the settings alone."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commandline.environment import read_settings

if TYPE_CHECKING:
    from gateway.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to `mashang`."""
    app.command("doctor")(doctor)


def doctor(
    *,
    settings_only: Annotated[
        bool, typer.Option("--settings-only", help="Judge the settings as production does, and ask no server.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Gateway and worker processes that run, over all machines.")
    ] = 2,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="AREA.CHECK", help="A problem that is meant, such as postgresql.standby; once for each."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, max=60, help="Seconds for all of it.")] = 15.0,
    state: Annotated[
        Path | None,
        typer.Option(help="A development stack to look at as production would; without it the environment's settings."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Check a deployment and say what to do; it changes nothing.  Exits with 0, or 2 where there are problems."""
    from gateway.doctor.progress import progress
    from gateway.doctor.running import Visit, visit
    from gateway.doctor.showing import show_report

    settings = settings_of(state)
    with progress() as told:
        order = Visit(settings, processes, timeout, settings_only, told=told)
        found = visit(order)
    raise typer.Exit(show_report(found, accept or (), as_json=as_json))


def check_settings(settings: Settings) -> int:
    """`mashang settings --check`: 0 where production takes them, else 2."""
    from gateway.doctor.running import Visit, visit
    from gateway.doctor.showing import show_report

    return show_report(visit(Visit(settings, settings_only=True)), (), as_json=False)


def settings_of(state: Path | None) -> Settings:
    """The environment's, or those of the stack that runs on a state.  Raises StackError; exits with 2 where wrong."""
    if state is not None:
        _take_over(state.absolute())
    return read_settings()


def _take_over(state: Path) -> None:
    """Let the environment name what that stack's processes were told."""
    from gateway.devstack.options import ready_file_of
    from gateway.devstack.ready import read_ready_file
    from gateway.devstack.secrets import StateSecrets

    ready = read_ready_file(ready_file_of(state))
    kept = StateSecrets.model_validate_json((state / "secrets.json").read_bytes())
    os.environ.setdefault("MASHANG_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")  # as the stack sets it
    os.environ.update(
        MASHANG_DATABASE_URL=ready.database_url,
        MASHANG_REDIS_URL=ready.redis_url,
        MASHANG_MASTER_KEY=kept.master_key,
        MASHANG_ADMIN_TOKEN=ready.admin_token,
        MASHANG_METRICS_DIR=str(state / "metrics"),
        MASHANG_PUBLIC_URL=ready.gateway,
    )
