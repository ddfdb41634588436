"""The settings as a command reads them: what is wrong is told by variable."""

# ruff: noqa: PLC0415 - what a command needs is imported inside it, as in gateway.cli

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gateway.settings import Settings


def read_settings() -> Settings:
    """The settings of the environment.  No metric files are begun: that is for `serve` and `worker` alone."""
    from pydantic import ValidationError

    from gateway.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]).removeprefix("MASHANG_").upper() if problem["loc"] else "?"
            typer.echo(f"MASHANG_{name}: {problem['msg']}", err=True)
        raise typer.Exit(2) from None
