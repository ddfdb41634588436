"""`make load`: Locust's tills against a stack, and the audit of every book afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loadtests.stack import RunningStack, own_stack, running_stack

# Of the Locust file, which must not be imported: Locust patches the standard library
KEY_VARIABLE, BOOK_VARIABLE = "MASHANG_LOAD_KEY", "MASHANG_LOAD_BOOK"


def _locust(stack: RunningStack, client_log: Path, users: int, seconds: int) -> int:
    """Run the tills; Locust's exit status is not 0 where a request failed."""
    command = [
        sys.executable, "-m", "locust", "--locustfile", str(files("loadtests") / "locustfile.py"), "--headless",
        "--host", stack.ready.gateway, "--users", str(users), "--spawn-rate", str(max(1, users // 3)),
        "--run-time", f"{seconds}s", "--stop-timeout", "40s", "--only-summary",
    ]  # fmt: skip
    environment = {**os.environ, KEY_VARIABLE: stack.ready.merchant.api_key, BOOK_VARIABLE: str(client_log)}
    return subprocess.run(command, env=environment, check=False).returncode


def main(
    *,
    users: Annotated[int, typer.Option(min=1, help="Tills at work at once.")] = 100,
    seconds: Annotated[int, typer.Option(min=1, help="How long.")] = 30,
    ready_file: Annotated[
        Path | None, typer.Option(help="A stack that runs already; without it one is started.")
    ] = None,
    client_log: Annotated[Path | None, typer.Option(help="Keep the client's book in this file.")] = None,
) -> None:
    """Load a stack with tills and audit it; ends with status 1 where a request failed or the books disagree."""
    chosen: AbstractContextManager[RunningStack] = own_stack() if ready_file is None else running_stack(ready_file)
    with chosen as stack, tempfile.TemporaryDirectory(prefix="mashang-book-") as folder:
        stack.set_latency()
        book = client_log or Path(folder) / "book.jsonl"
        failed = _locust(stack, book, users, seconds) != 0
        passed, output = stack.audit(book)
    console = Console()
    console.print(output, markup=False, highlight=False)
    if failed:
        console.print("Requests failed: see Locust's table above.", style="red")
    if failed or not passed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
