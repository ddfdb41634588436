"""Who sends a request: the holder of a bearer key, or of the key that the request is signed with."""

from __future__ import annotations

import hmac
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from fastapi import Request

from gateway.http.answers import Call
from gateway.http.services import Services, services_of
from gateway.kernel.errors import NotAuthenticated
from gateway.merchants.signatures import Signable, is_signed, read_head, verify
from gateway.merchants.store import KeyHolder, Scope


async def authenticated(request: Request, scope: Scope) -> KeyHolder:
    """The holder of the key behind a request.  Raises NotAuthenticated, or NotPermitted where it lacks the scope."""
    headers: dict[bytes, bytes] = dict(request.scope["headers"])
    services = services_of(request)
    if not is_signed(headers):
        return await services.directory.authenticate(request.headers.get("authorization"), scope)
    target = _target(request.scope["raw_path"], request.scope["query_string"])
    return await _signer(services, headers, Signable(request.method, target, await request.body()), scope)


def authenticated_call(services: Services, call: Call, scope: Scope) -> Coroutine[Any, Any, KeyHolder]:
    """The same for a request that the edge answers itself."""
    if not is_signed(call.headers):
        return services.directory.authenticate(call.header(b"authorization"), scope)
    request = Signable(call.method, _target(call.raw_path, call.query), call.body)
    return _signer(services, call.headers, request, scope)


def has_admin_token(request: Request) -> bool:
    """Whether operations ask: the bearer token is the installation's own."""
    return is_admin_token(services_of(request), request.headers.get("authorization", ""))


def is_admin_token(services: Services, authorization: str) -> bool:
    """The same by the Authorization header alone."""
    scheme, _, token = authorization.partition(" ")
    expected = services.settings.admin_token.get_secret_value()
    return scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected.encode())


def _target(raw_path: bytes, query: bytes) -> str:
    """The path with its query exactly as sent."""
    return (raw_path + b"?" + query if query else raw_path).decode("latin-1")


async def _signer(services: Services, headers: Mapping[bytes, bytes], request: Signable, scope: Scope) -> KeyHolder:
    head = read_head(headers)
    signer = await services.directory.signer(head.key_id, scope)
    verify(head, signer.signing_secret, request, time.time())
    if not await services.nonces.spend(head.key_id, head.nonce):
        raise NotAuthenticated("nonce_reused", "This Mashang-Nonce was used before: take a new one.")
    return signer.holder
