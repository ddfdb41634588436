"""Fetches a version of the rules ready to decide: as it was compiled when it was saved, or else compiled once more."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

import asyncpg

from gateway.database.pool import Connection, named_statements
from gateway.kernel.secrets import Vault
from risk.rules import artefact
from risk.rules.apart import make_apart
from risk.rules.artefact import ArtefactBroken
from risk.rules.compiled import NO_RULES, CompiledSet

SQL: Final = named_statements("risk.rules", "artefacts.sql")
_WAIT_S: Final = 0.5
"""Between two looks while another process compiles the version."""

_log: Final = logging.getLogger("mashang.risk")


async def fetched(pool: asyncpg.Pool, vault: Vault, version: int) -> CompiledSet:
    """The set of a version that is stored, without what its model looks at.

    Where no code like this one has compiled it, it is now, by one process for all.  Raises RuleSetError where this code
    does not take the rules any more, and what the database raises.
    """
    if version == 0:
        return NO_RULES
    while True:
        async with pool.acquire() as connection:
            if (found := await _as_stored(connection, vault, version)) is not None:
                return found
            if await connection.fetchval(SQL["claim"], version):
                try:  # somebody else may just have done it
                    again = await _as_stored(connection, vault, version)
                    return await _compiled_anew(connection, vault, version) if again is None else again
                finally:
                    await connection.execute(SQL["disclaim"], version)
        await asyncio.sleep(_WAIT_S)


async def sweep_artefacts(pool: asyncpg.Pool) -> None:
    """Delete what code of no present format has compiled; whoever still needs it compiles it again."""
    await pool.execute(SQL["sweep"], artefact.FORMAT)


async def _as_stored(connection: Connection, vault: Vault, version: int) -> CompiledSet | None:
    """None where this code has not compiled it, or somebody else wrote it."""
    pieces: deque[bytes] = deque()
    async with connection.transaction(isolation="repeatable_read", readonly=True):  # others may be writing it again
        count: int = await connection.fetchval(SQL["piece_count"], version, artefact.FORMAT)
        for number in range(count):
            pieces.append(await connection.fetchval(SQL["piece"], version, artefact.FORMAT, number))
    if not pieces:
        return None

    def next_piece() -> bytes:
        return artefact.opened(vault, version, count - len(pieces), pieces.popleft()) if pieces else b""

    try:
        return await asyncio.to_thread(artefact.read, version, next_piece)
    except ArtefactBroken as error:
        _log.warning("a compiled rule set cannot be read", extra={"version": version, "reason": str(error)})
        return None


async def _compiled_anew(connection: Connection, vault: Vault, version: int) -> CompiledSet:
    _log.info("a rule set is compiled anew", extra={"version": version})
    made = await make_apart(await _body(connection, version), None)
    async with connection.transaction():
        await connection.execute(SQL["forget"], version, artefact.FORMAT)
        for number, sealed in enumerate(artefact.sealed(vault, version, made.artefact)):
            await connection.execute(SQL["keep"], version, artefact.FORMAT, number, sealed)
    pieces = iter((*made.artefact, b""))
    return await asyncio.to_thread(artefact.read, version, pieces.__next__)


async def _body(connection: Connection, version: int) -> bytes:
    """The document in JSON, put together without reading it: that would hold the event loop."""
    head: str = await connection.fetchval(SQL["head"], version)
    pieces: list[str] = []
    while (piece := await connection.fetchval(SQL["rules"], version, len(pieces))) is not None:
        pieces.append(piece)
    rules = ",".join(piece.strip()[1:-1] for piece in pieces)
    return f'{head.rstrip()[:-1]},"rules":[{rules}]}}'.encode()
