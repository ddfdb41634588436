"""Options that commands of several files share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

STATE: Final = Path(".state")

State = Annotated[Path, typer.Option(help="Folder that holds a development stack's data.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
AdminUrl = Annotated[
    str | None,
    typer.Option(help="The gateway, with MASHANG_ADMIN_TOKEN; without it, the stack that runs on --state."),
]
