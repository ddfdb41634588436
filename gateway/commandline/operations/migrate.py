"""`mashang migrate`: bring the database to the newest schema, or tell how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import typer

from gateway.database.batches import BROKEN
from gateway.database.concurrent import NotMade
from gateway.database.locking import StillLocked
from gateway.database.migrate import Migration
from gateway.database.migrate import migrate as run_migrations
from gateway.database.schema_state import SchemaMismatch, SchemaState, await_schema, require_fit, state_of
from gateway.database.statements import split
from gateway.processes.errors import StackError

Result = TypeVar("Result")


def migrate(database_url: str) -> None:
    """Run what has not run yet; what goes on is told line by line on stderr, what ran on stdout."""
    ran = _run(run_migrations(database_url, lambda text: typer.echo(text, err=True)))
    typer.echo("\n".join(ran) if ran else "The schema is up to date.")


def dry_run(database_url: str) -> None:
    """Print what would run, statement by statement."""
    pending = _run(state_of(database_url)).pending
    for migration in pending:
        typer.echo(f"{migration.name} ({_manner(migration)})")
        for statement in split(migration.sql):
            typer.echo(f"    {statement.bare[:110]}{'…' if len(statement.bare) > 110 else ''}")
    typer.echo(f"{len(pending)} to run." if pending else "The schema is up to date.")


def status(database_url: str) -> bool:
    """Print how the database stands to this code; whether nothing is to be done."""
    state = _run(state_of(database_url))
    typer.echo(f"database: {len(state.ran)} migrations; this code knows {len(state.known)}")
    for migration in state.pending:
        typer.echo(f"to run:   {migration.name} ({_manner(migration)})")
    for name in state.newer:
        typer.echo(f"newer:    {name}, of later code")
    for name in state.invalid_indexes:
        typer.echo(f"broken:   index {name}: the migration that makes it was broken off; run `mashang migrate`")
    return not state.invalid_indexes and _fits(state)


def wait(database_url: str, within_s: float) -> bool:
    """Wait until somebody else has brought the schema up to date; changes nothing."""
    there = _run(await_schema(database_url, within_s))
    typer.echo("The schema is up to date." if there else f"The schema was not brought up to date in {within_s:g} s.")
    return there


def require_schema(database_url: str) -> None:
    """Raise StackError where this code cannot run on that database's schema."""
    try:
        _run(require_fit(database_url))
    except SchemaMismatch as error:
        raise StackError(str(error)) from None


def _fits(state: SchemaState) -> bool:
    try:
        state.require_fit()
    except SchemaMismatch as error:
        typer.echo(str(error))
        return False
    typer.echo("The schema is up to date.")
    return True


def _manner(migration: Migration) -> str:
    manner = "statement by statement" if migration.is_outside_transaction else "in one transaction"
    gives_up = f", gives up what code before {migration.contract:04d} uses" if migration.contract else ""
    return manner + gives_up


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """A coroutine's result; what a person can mend becomes a StackError."""
    try:
        return asyncio.run(work)
    except (StillLocked, NotMade) as error:
        raise StackError(f"{error}. Nothing is half done: run it again (docs/upgrading.md).") from None
    except BROKEN as error:
        raise StackError(
            f"PostgreSQL does not answer at MASHANG_DATABASE_URL: {error or type(error).__name__}"
        ) from None
    except asyncpg.PostgresError as error:
        raise StackError(f'PostgreSQL refused: {error}. See docs/upgrading.md, "When a migration fails".') from error
