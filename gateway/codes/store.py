"""Static codes in PostgreSQL, and whose they are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

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


class Shop(NamedTuple):
    """The merchant as whoever scans his code meets him."""

    id: str
    name: str
    timezone: str
    is_active: bool


class CodeKey(NamedTuple):
    """The idempotency key that came with a request, and the keyed hash of the request."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class PublicCode:
    """A static code as whoever scans it meets it."""

    code: StaticCode
    shop: Shop


class CodeStore:
    """Every read is scoped to a merchant, but for those by token or payment: a code on a wall is public."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(
        self, merchant_id: str, merchant_name: str, wanted: CodeRequest, key: CodeKey | None = None
    ) -> tuple[StaticCode, bool]:
        """Make a code; the one that the same request made under its key, and True, where there is one.

        Raises Conflict where the merchant has too many, or the key belongs to another request.
        """
        if key is not None and (made := await self._made_by(merchant_id, key)) is not None:
            return made, True
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
            *(key or (None, None)),
        )
        if record is not None:
            return _code(record), False
        assert key is not None, "nothing else stands in the way of a new code"
        made = await self._made_by(merchant_id, key)
        assert made is not None, "codes are never deleted"
        return made, True

    async def _made_by(self, merchant_id: str, key: CodeKey) -> StaticCode | None:
        record = await self._pool.fetchrow(_SQL["find_by_key"], merchant_id, key.key)
        if record is not None and record["request_fingerprint"] != key.fingerprint:
            raise Conflict(
                "idempotency_key_reused", "This Idempotency-Key belongs to another request.", param="Idempotency-Key"
            )
        return None if record is None else _code(record)

    async def find(self, merchant_id: str, code_id: str) -> StaticCode | None:
        """By its id."""
        record = await self._pool.fetchrow(_SQL["find"], code_id, merchant_id)
        return None if record is None else _code(record)

    async def find_by_token(self, token: str) -> PublicCode | None:
        """By what the printed code holds."""
        record = await self._pool.fetchrow(_SQL["find_by_token"], token)
        if record is None:
            return None
        shop = Shop(record["merchant_id"], record["merchant_name"], record["timezone"], record["merchant_active"])
        return PublicCode(_code(record), shop)

    async def find_shop_of_payment(self, payment_id: str) -> Shop | None:
        """The merchant of the payment that a code is for."""
        record = await self._pool.fetchrow(_SQL["find_shop_of_payment"], payment_id)
        return None if record is None else Shop(*record.values())

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
