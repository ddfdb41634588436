"""`mashang risk rules …`: check, keep, publish and compare versions of the risk rules, over the admin API."""

from __future__ import annotations

import typer

rules = typer.Typer(help="The risk rules: check them, publish them, go back.", no_args_is_help=True)


def register(risk: typer.Typer) -> None:
    """Add these commands to `mashang risk`."""
    risk.add_typer(rules, name="rules")
