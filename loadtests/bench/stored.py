"""Stacks with a long history: `mashang seed` on a state of their own, or on one that is kept for the next run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import asyncpg

from gateway.seeding.filling import TABLES
from loadtests.stack import RunningStack, own_stack

_MERCHANTS: Final = 10_000
_DAYS: Final = 90


def state_of(folder: Path, payments: int) -> Path:
    """Where the stack with so many payments is kept."""
    return folder / str(payments)


def prepare(folder: Path, sizes: Sequence[int], say: Callable[[str], object]) -> None:
    """Seed what is to be kept in the folder and is not there yet; a run that was killed is gone on with.

    Raises StackTrouble where a stack runs on one of the states, CalledProcessError where one cannot be seeded.
    """
    for payments in filter(None, sizes):
        state = state_of(folder, payments)
        say(f"{payments:,} payments in {state} …")
        with own_stack(kept=state) as stack:
            seed(stack, payments)


def seed(stack: RunningStack, payments: int) -> None:
    """`mashang seed`, which checks the disk first and makes only what is missing; its bar is shown.

    Then the tables are vacuumed, as autovacuum would do it beside the first minutes of what is measured.
    """
    command = (
        sys.executable, "-m", "gateway.cli", "seed", "--state", str(stack.state), "--payments", str(payments),
        "--merchants", str(min(_MERCHANTS, payments)), "--days", str(_DAYS), "--yes",
    )  # fmt: skip
    subprocess.run(command, check=True)
    asyncio.run(_vacuum(stack.ready.database_url))


async def _vacuum(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for table in TABLES:
            await connection.execute(f"VACUUM (ANALYZE) {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
