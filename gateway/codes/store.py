"""Static codes in PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
import orjson

from gateway.codes.code import StaticCode
from gateway.codes.schemas import CodeRequest
from gateway.database.pool import named_statements
from gateway.kernel.errors import Conflict
from gateway.kernel.ids import new_id

_SQL: Final = named_statements("gateway.codes", "statements.sql")
ACTIVE_MAX: Final = 10_000
"""Active codes of one merchant."""
_TOKEN_BYTES: Final = 16
STATIC_PREFIX: Final = "s"


@dataclass(frozen=True, slots=True)
class PublicCode:
    """A static code as whoever scans it meets it."""

    code: StaticCode
    merchant_name: str


@dataclass(frozen=True, slots=True)
class CodedPayment:
    """The payment behind a code of its own, as whoever scans it meets it."""

    payment_id: str
    merchant_id: str
    merchant_name: str
    payable_fen: int


class CodeStore:
    """Every read is scoped to a merchant, but for the one by token: that is public."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, merchant_id: str, merchant_name: str, wanted: CodeRequest) -> StaticCode:
        """Make a code.  Raises Conflict where the merchant has too many."""
        if await self._pool.fetchval(_SQL["count_active"], merchant_id) >= ACTIVE_MAX:
            raise Conflict("too_many_codes", f"A merchant has at most {ACTIVE_MAX} active codes: revoke some.")
        record = await self._pool.fetchrow(
            _SQL["add"],
            new_id("cod"),
            f"{STATIC_PREFIX}{secrets.token_urlsafe(_TOKEN_BYTES)}",
            merchant_id,
            wanted.name or merchant_name,
            wanted.description,
            wanted.amount,
            wanted.store_id,
            wanted.terminal_id,
            wanted.operator_id,
            orjson.dumps(wanted.metadata).decode() if wanted.metadata else None,
        )
        assert record is not None
        return _code(record)

    async def find(self, merchant_id: str, code_id: str) -> StaticCode | None:
        """By its id."""
        record = await self._pool.fetchrow(_SQL["find"], code_id, merchant_id)
        return None if record is None else _code(record)

    async def find_by_token(self, token: str) -> PublicCode | None:
        """By what the printed code holds; None for a suspended merchant too."""
        record = await self._pool.fetchrow(_SQL["find_by_token"], token)
        return None if record is None else PublicCode(_code(record), record["merchant_name"])

    async def find_payment(self, payment_id: str) -> CodedPayment | None:
        """The payment that a code is for; None for a suspended merchant too."""
        record = await self._pool.fetchrow(_SQL["find_payment"], payment_id)
        return None if record is None else CodedPayment(*record.values())

    async def list(
        self, merchant_id: str, *, status: str | None, store_id: str | None, limit: int, starting_after: str | None
    ) -> Sequence[StaticCode]:
        """A merchant's codes, newest first, at most `limit`, after that id."""
        records = await self._pool.fetch(_SQL["list"], merchant_id, starting_after, status, store_id, limit)
        return [_code(record) for record in records]

    async def revoke(self, merchant_id: str, code_id: str) -> StaticCode | None:
        """Take a code out of use for ever; payments made by it stay as they are."""
        record = await self._pool.fetchrow(_SQL["revoke"], code_id, merchant_id)
        return None if record is None else _code(record)


def _code(record: asyncpg.Record) -> StaticCode:
    return StaticCode(
        id=record["id"],
        token=record["token"],
        merchant_id=record["merchant_id"],
        name=record["name"],
        description=record["description"],
        amount_fen=record["amount"],
        store_id=record["store_id"],
        terminal_id=record["terminal_id"],
        operator_id=record["operator_id"],
        metadata=orjson.loads(record["metadata"] or b"{}"),
        status=record["status"],
        created_at=record["created_at"],
        revoked_at=record["revoked_at"],
    )
