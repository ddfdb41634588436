"""`mashang audit --trail`: verifies the chain of the audit trail and prints its head, to be noted elsewhere."""

from __future__ import annotations

import asyncio
import sys
import traceback
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from gateway.audit.command import ExitStatus, find_places
from gateway.audit.database import connected
from gateway.audit.findings import CannotAudit
from gateway.audit.progress import Steps
from gateway.processes.errors import StackError
from gateway.trail.chain import Verified, verify
from gateway.trail.entry import Head
from gateway.trail.store import SQL


def run_trail_audit(state: Path | None, head: str | None, *, json: bool) -> ExitStatus:
    """Verify and print.  What fails itself must not look like a trail that was tampered with."""
    try:
        noted = None if head is None else _noted(head)
        verified = asyncio.run(_verify(find_places(state, ()).database_url, noted))
    except (CannotAudit, StackError) as error:
        sys.stderr.write(f"mashang: the audit trail could not be verified: {error}\n")
        return ExitStatus.COULD_NOT_AUDIT
    except Exception:  # a bug: status 1 would claim a broken chain
        traceback.print_exc()
        return ExitStatus.COULD_NOT_AUDIT
    if json:
        sys.stdout.buffer.write(orjson.dumps(_document(verified), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        sys.stdout.write(_sentence(verified))
    return ExitStatus.AGREES if verified.holds else ExitStatus.DISAGREES


def _noted(head: str) -> Head:
    try:
        return Head.of(head)
    except ValueError as error:
        raise CannotAudit(str(error)) from None


async def _verify(database_url: str, noted: Head | None) -> Verified:
    steps = Steps()
    try:
        async with connected(database_url) as connection:
            with steps.shown():
                done = steps.step("audit trail", await connection.fetchval(SQL["count"]))
                return await verify(connection, noted, done)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise CannotAudit(f"PostgreSQL cannot be read: {type(error).__name__}: {error}") from error


def _document(verified: Verified) -> dict[str, Any]:
    head = verified.head
    return {
        "holds": verified.holds,
        "entries": verified.count,
        "broken_seq": verified.broken_seq,
        "problem": verified.problem,
        "head": {"seq": head.seq, "hash": head.hash.hex()} if verified.holds else None,
    }


def _sentence(verified: Verified) -> str:
    if not verified.holds:
        return f"The audit trail is broken at entry {verified.broken_seq}: {verified.problem}.\n"
    return (
        f"The audit trail holds: {verified.count} entries.\n"
        f"Head {verified.head}\n"
        "Note it outside of this database: --head compares with it, and shows what came off the end since.\n"
    )
