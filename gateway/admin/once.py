"""Carries a request of the admin API out in a transaction of its own; with an `Idempotency-Key` once, answer included.

Refusals bind nothing and are not kept.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, cast

import asyncpg
import orjson
from fastapi import Request, Response

from gateway.admin.kept_answers import KeptAnswer, find_answer, keep_answer, take_turn
from gateway.database.pool import Connection
from gateway.http.services import Services, services_of
from gateway.kernel.errors import Conflict
from gateway.trail.recording import Handler, recorded

_REORDERED_BYTES_MAX: Final = 1 << 20
_REPLAYED: Final = {"Idempotent-Replayed": "true"}


async def carry_out(services: Services, person: str | None, request: Request, handle: Handler) -> Response:
    """The answer of the handler; what it writes and its entry in the audit trail are one transaction.

    Raises what the handler raises.
    """
    async with services.pool.acquire() as connection, connection.transaction():
        return await recorded(connection, person, request, handle)


async def carry_out_once(
    services: Services, key: str, person: str | None, request: Request, handle: Handler
) -> Response:
    """The same, or the answer that the same request got before: that leaves no second entry.

    Raises Conflict where the key belongs to another request, and what the handler raises.
    """
    fingerprint = await _fingerprint(services, request)
    async with services.pool.acquire() as connection, connection.transaction():
        await take_turn(connection, key)
        known = await find_answer(connection, services.vault, key)
        if known is not None:
            return _replayed(known, fingerprint)
        answer = await recorded(connection, person, request, handle)
        kept = KeptAnswer(fingerprint, answer.status_code, bytes(answer.body))
        await keep_answer(connection, services.vault, key, kept)
    return answer


def database_of(request: Request) -> asyncpg.Pool | Connection:
    """Where an endpoint reads and writes: in the request's own transaction, where its method can change something."""
    return cast("asyncpg.Pool | Connection", getattr(request.state, "database", services_of(request).pool))


def _replayed(known: KeptAnswer, fingerprint: bytes) -> Response:
    if known.fingerprint != fingerprint:
        raise Conflict(
            "idempotency_key_reused", "This key belongs to another request: use a new one.", param="Idempotency-Key"
        )
    return Response(known.body, known.status, dict(_REPLAYED), media_type="application/json" if known.body else None)


async def _fingerprint(services: Services, request: Request) -> bytes:
    """Method, address and body: however it is spaced and ordered where it is JSON and not a large document."""
    body = await request.body()
    if len(body) > _REORDERED_BYTES_MAX:
        return await asyncio.to_thread(_hashed, services, request, body)
    with suppress(ValueError, orjson.JSONEncodeError):  # what is nested so deeply that it is read and not written
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    return _hashed(services, request, body)


def _hashed(services: Services, request: Request, body: bytes) -> bytes:
    address = f"{request.method} {request.url.path}?{request.url.query}"
    return services.vault.keyed_hash(address.encode(errors="replace") + b"\n" + body)
