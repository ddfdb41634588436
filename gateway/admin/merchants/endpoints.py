"""Merchants and their keys under /admin/v1; secrets are shown in the answer that makes them, and never again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
from fastapi import Path, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from gateway.admin.access import AdminRequest, admin_router, example
from gateway.admin.once import database_of
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import not_found
from gateway.merchants import store as merchants
from gateway.merchants.settings import find_settings, list_keys
from gateway.merchants.store import Scope
from gateway.payments.schemas import Text
from gateway.settings import Environment
from gateway.trail.recording import tell

MERCHANT_ID_PATTERN = r"^mer_[0-9A-Z]{26}$"
EXAMPLE_ID = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"

router = admin_router()


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # no such zone, no name of one, a folder of zones
        raise ValueError("is no IANA time zone") from None
    return name


def _own_realm(name: str) -> str:
    if name.startswith("mer_"):
        raise ValueError("is no name for a realm: it would be a merchant's own")
    return name


Realm = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$"), AfterValidator(_own_realm)]
Label = Annotated[Text, Field(min_length=1, max_length=64)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_timezone)]


class NewMerchantRequest(AdminRequest):
    """A merchant to be created."""

    model_config = example({"name": "Corner Café", "timezone": "Asia/Shanghai"})

    name: Annotated[Text, Field(min_length=1, max_length=64)]
    timezone: TimeZone = "Asia/Shanghai"
    customer_realm: Annotated[Realm | None, Field(description="Merchants of one realm share their customers' ids.")] = (
        None
    )
    category: Label | None = None
    region: Label | None = None


class MerchantObject(BaseModel):
    """A merchant; the webhook secret is shown only when it is created."""

    model_config = example(
        {"id": EXAMPLE_ID, "name": "Corner Café", "timezone": "Asia/Shanghai", "webhook_secret": "whsec_…"}
    )

    id: str
    name: str
    timezone: str
    webhook_secret: str


class NewKeyRequest(AdminRequest):
    """A key to be created; a till's key need not refund."""

    model_config = example({"scopes": ["pay", "read"]})

    scopes: Annotated[list[Scope], Field(min_length=1)] = sorted(Scope)


class KeyObject(BaseModel):
    """A key; `secret` and `signing_secret` are shown only when it is created."""

    model_config = example(
        {
            "id": "key_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
            "merchant_id": EXAMPLE_ID,
            "scopes": ["pay", "read"],
            "secret": "sk_test_…",
            "signing_secret": "…",
        }
    )

    id: str
    merchant_id: str
    scopes: list[Scope]
    secret: str
    signing_secret: str


_LISTED: dict[str, Any] = {
    "id": "key_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "merchant_id": EXAMPLE_ID,
    "hint": "x4Y7",
    "scopes": ["pay", "read"],
    "created_at": "2026-11-22T08:00:00.000Z",
    "revoked_at": None,
}


class ListedKey(BaseModel):
    """A key without its secrets; `hint` is how the secret ends."""

    model_config = example(_LISTED)

    id: str
    merchant_id: str
    hint: str
    scopes: list[Scope]
    created_at: str
    revoked_at: str | None


class KeyList(BaseModel):
    """All keys of a merchant, the newest first."""

    model_config = example({"object": "list", "data": [_LISTED], "has_more": False})

    object: Literal["list"]
    data: list[ListedKey]
    has_more: bool


MerchantId = Annotated[str, Path(pattern=MERCHANT_ID_PATTERN)]
KeyId = Annotated[str, Path(pattern=r"^key_[0-9A-Z]{26}$")]


@router.post(
    "/merchants",
    status_code=201,
    response_model=MerchantObject,
    name="merchant.created",
    summary="Create a merchant",
)
async def post_merchant(request: Request, wanted: NewMerchantRequest) -> Response:
    """Create a merchant."""
    vault, given = services_of(request).vault, wanted.model_dump()
    new = await merchants.create_merchant(database_of(request), vault, **given)
    tell(request, new.merchant.id, {"created": wanted.model_dump(exclude_none=True)})
    body = {
        "id": new.merchant.id,
        "name": new.merchant.name,
        "timezone": new.merchant.timezone,
        "webhook_secret": new.webhook_secret,
    }
    return json_answer(201, body).to_response()


@router.post(
    "/merchants/{merchant_id}/keys",
    status_code=201,
    response_model=KeyObject,
    name="key.created",
    summary="Create a key",
)
async def post_key(request: Request, merchant_id: MerchantId, wanted: NewKeyRequest) -> Response:
    """Create an API key, `sk_live_…` in production.  Its secrets are shown in this answer and never again."""
    services, scopes = services_of(request), frozenset(wanted.scopes)
    live = services.settings.environment is Environment.PRODUCTION
    try:
        key = await merchants.create_key(database_of(request), services.vault, merchant_id, scopes, live=live)
    except asyncpg.ForeignKeyViolationError:
        raise not_found("merchant", "merchant_id") from None
    tell(request, key.id, {"created": {"merchant_id": merchant_id, "scopes": sorted(set(wanted.scopes))}})
    body = {
        "id": key.id,
        "merchant_id": merchant_id,
        "scopes": sorted(set(wanted.scopes)),
        "secret": key.secret,
        "signing_secret": key.signing_secret,
    }
    return json_answer(201, body).to_response()


@router.get("/merchants/{merchant_id}/keys", response_model=KeyList, summary="List a merchant's keys")
async def get_keys(request: Request, merchant_id: MerchantId) -> Response:
    """Its keys, revoked ones among them."""
    database = database_of(request)
    if await find_settings(database, merchant_id) is None:
        raise not_found("merchant", "merchant_id")
    data = [
        {
            **asdict(key),
            "scopes": sorted(key.scopes),
            "created_at": rfc3339(key.created_at),
            "revoked_at": None if key.revoked_at is None else rfc3339(key.revoked_at),
        }
        for key in await list_keys(database, merchant_id)
    ]
    return json_answer(200, {"object": "list", "data": data, "has_more": False}).to_response()


@router.post(
    "/merchants/{merchant_id}/keys/{key_id}/revoke", status_code=204, name="key.revoked", summary="Revoke a key"
)
async def post_revoke(request: Request, merchant_id: MerchantId, key_id: KeyId) -> Response:
    """Revoke a key; every process refuses it within a second."""
    if not await merchants.revoke_key(database_of(request), merchant_id, key_id):
        raise not_found("key", "key_id")
    tell(request, key_id, {"merchant_id": merchant_id})
    return Response(status_code=204)
