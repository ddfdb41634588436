"""Carries a request of the admin API out once per `Idempotency-Key`: what it does and its answer are one transaction.

An answer is kept for a day, sealed, for some hold secrets that are shown once.  Refusals bind nothing and are not kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final, TypeAlias, cast

import asyncpg
import orjson
from fastapi import Request, Response

from gateway.database.pool import Connection, named_statements
from gateway.http.services import Services, services_of
from gateway.kernel.errors import Conflict

SQL: Final = named_statements("gateway.admin", "statements.sql")
KEPT: Final = timedelta(hours=24)
_REPLAYED: Final = {"Idempotent-Replayed": "true"}

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


async def carry_out_once(services: Services, key: str, request: Request, handle: Handler) -> Response:
    """The answer of the handler, or the one that the same request got before.

    Raises Conflict where the key belongs to another request, and what the handler raises.
    """
    fingerprint = await _fingerprint(services, request)
    async with services.pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_key"], key)
        known = await connection.fetchrow(SQL["find_answer"], key, KEPT)
        if known is not None:
            return _replayed(services, key, known, fingerprint)
        request.state.database = connection
        answer = await handle(request)
        sealed = services.vault.seal(bytes(answer.body), key.encode())
        await connection.execute(SQL["keep_answer"], key, fingerprint, answer.status_code, sealed)
    return answer


def database_of(request: Request) -> asyncpg.Pool | Connection:
    """Where an endpoint writes: in the request's own transaction where there is one."""
    return cast("asyncpg.Pool | Connection", getattr(request.state, "database", services_of(request).pool))


async def forget_answers(database: asyncpg.Pool | Connection) -> None:
    """Forget the answers of more than a day ago."""
    await database.execute(SQL["forget_answers"], KEPT)


def _replayed(services: Services, key: str, known: asyncpg.Record, fingerprint: bytes) -> Response:
    if known["fingerprint"] != fingerprint:
        raise Conflict(
            "idempotency_key_reused", "This key belongs to another request: use a new one.", param="Idempotency-Key"
        )
    body = services.vault.open(known["answer_sealed"], key.encode())
    return Response(body, known["status"], dict(_REPLAYED), media_type="application/json" if body else None)


async def _fingerprint(services: Services, request: Request) -> bytes:
    """Method, address and body: however it is spaced and ordered where it is JSON."""
    body = await request.body()
    with suppress(ValueError):
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    address = f"{request.method} {request.url.path}?{request.url.query}"
    return services.vault.keyed_hash(address.encode(errors="replace") + b"\n" + body)
