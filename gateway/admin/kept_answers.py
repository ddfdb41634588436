"""The admin API's answers by idempotency key: kept for a day, sealed, for some hold secrets that are shown once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import asyncpg

from gateway.database.pool import Connection, named_statements
from gateway.kernel.secrets import Vault

KEPT: Final = timedelta(hours=24)
SQL: Final = named_statements("gateway.admin", "statements.sql")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, and of which request (a keyed hash)."""

    fingerprint: bytes
    status: int
    body: bytes = field(repr=False)


async def take_turn(connection: Connection, key: str) -> None:
    """Wait until no other transaction works on that key; lasts as long as the transaction that is open."""
    await connection.execute(SQL["lock_key"], key)


async def find_answer(connection: Connection, vault: Vault, key: str) -> KeptAnswer | None:
    """The answer that a request with that key got within the day."""
    record = await connection.fetchrow(SQL["find_answer"], key, KEPT)
    if record is None:
        return None
    body = vault.open(record["answer_sealed"], key.encode())
    return KeptAnswer(record["fingerprint"], record["status"], body)


async def keep_answer(connection: Connection, vault: Vault, key: str, answer: KeptAnswer) -> None:
    """Keep an answer in place of an older one."""
    sealed = vault.seal(answer.body, key.encode())
    await connection.execute(SQL["keep_answer"], key, answer.fingerprint, answer.status, sealed)


async def forget_answers(database: asyncpg.Pool | Connection) -> None:
    """Forget the answers of more than a day ago."""
    await database.execute(SQL["forget_answers"], KEPT)
