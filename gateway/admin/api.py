"""The endpoints under /admin/v1; an ingress can leave the whole path out."""

from __future__ import annotations

import hmac
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.http.answers import json_answer, no_unknown_parameters
from gateway.http.services import Services, services_of
from gateway.kernel.errors import NotAuthenticated, not_found
from gateway.merchants import store as merchants
from gateway.merchants.store import Scope
from gateway.payments.schemas import Text
from routing.accounts import AccountStatus

router = APIRouter(prefix="/admin/v1", tags=["admin"], dependencies=[Depends(no_unknown_parameters)])


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


_MERCHANT_ID = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
_ACCOUNT: dict[str, Any] = {
    "id": "wechat_direct",
    "channel": "wechat",
    "wallets": ["wechat"],
    "status": "enabled",
    "priority": 100,
    "fee_rate_millionths": 3800,
}


class _Admin(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("is no IANA time zone") from None
    return name


class NewMerchantRequest(_Admin):
    """A merchant to be created."""

    model_config = _example({"name": "Corner Café", "timezone": "Asia/Shanghai"})

    name: Annotated[Text, Field(min_length=1, max_length=64)]
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_timezone)] = "Asia/Shanghai"


class MerchantObject(BaseModel):
    """A merchant; the webhook secret is shown only when it is created."""

    model_config = _example(
        {"id": _MERCHANT_ID, "name": "Corner Café", "timezone": "Asia/Shanghai", "webhook_secret": "whsec_…"}
    )

    id: str
    name: str
    timezone: str
    webhook_secret: str


class NewKeyRequest(_Admin):
    """A key to be created; a till's key need not refund."""

    model_config = _example({"scopes": ["pay", "read"]})

    scopes: Annotated[list[Scope], Field(min_length=1)] = sorted(Scope)


class KeyObject(BaseModel):
    """A key; `secret` and `signing_secret` are shown only when it is created."""

    model_config = _example(
        {
            "id": "key_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
            "merchant_id": _MERCHANT_ID,
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


class AccountChange(_Admin):
    """What to change about a channel account."""

    model_config = _example({"status": "draining"})

    status: AccountStatus


class AccountObject(BaseModel):
    """A channel account, without its credentials."""

    model_config = _example(_ACCOUNT)

    id: str
    channel: str
    wallets: list[str]
    status: AccountStatus
    priority: int
    fee_rate_millionths: int


class AccountList(BaseModel):
    """All channel accounts."""

    model_config = _example({"object": "list", "data": [_ACCOUNT], "has_more": False})

    object: str
    data: list[AccountObject]
    has_more: bool


MerchantId = Annotated[str, Path(pattern=r"^mer_[0-9A-Z]{26}$")]
KeyId = Annotated[str, Path(pattern=r"^key_[0-9A-Z]{26}$")]
AccountId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


@router.post("/merchants", status_code=201, response_model=MerchantObject, summary="Create a merchant")
async def post_merchant(request: Request, wanted: NewMerchantRequest) -> Response:
    """Create a merchant."""
    services = _admitted(request)
    new = await merchants.create_merchant(services.pool, services.vault, wanted.name, wanted.timezone)
    body = {
        "id": new.merchant.id,
        "name": new.merchant.name,
        "timezone": new.merchant.timezone,
        "webhook_secret": new.webhook_secret,
    }
    return json_answer(201, body).to_response()


@router.post("/merchants/{merchant_id}/keys", status_code=201, response_model=KeyObject, summary="Create a key")
async def post_key(request: Request, merchant_id: MerchantId, wanted: NewKeyRequest) -> Response:
    """Create an API key.  Its secrets are shown in this answer and never again."""
    services = _admitted(request)
    try:
        key = await merchants.create_key(services.pool, services.vault, merchant_id, frozenset(wanted.scopes))
    except asyncpg.ForeignKeyViolationError:
        raise not_found("merchant", "merchant_id") from None
    body = {
        "id": key.id,
        "merchant_id": merchant_id,
        "scopes": sorted(set(wanted.scopes)),
        "secret": key.secret,
        "signing_secret": key.signing_secret,
    }
    return json_answer(201, body).to_response()


@router.post("/merchants/{merchant_id}/keys/{key_id}/revoke", status_code=204, summary="Revoke a key")
async def post_revoke(request: Request, merchant_id: MerchantId, key_id: KeyId) -> Response:
    """Revoke a key; every process refuses it within a second."""
    services = _admitted(request)
    if not await merchants.revoke_key(services.pool, merchant_id, key_id):
        raise not_found("key", "key_id")
    return Response(status_code=204)


@router.get("/channel_accounts", response_model=AccountList, summary="List channel accounts")
async def get_accounts(request: Request) -> Response:
    """All channel accounts."""
    services = _admitted(request)
    records = await services.pool.fetch(f"{_ACCOUNTS} ORDER BY id")
    page = {"object": "list", "data": [dict(record) for record in records], "has_more": False}
    return json_answer(200, page).to_response()


@router.patch("/channel_accounts/{account_id}", response_model=AccountObject, summary="Change a channel account")
async def patch_account(request: Request, account_id: AccountId, change: AccountChange) -> Response:
    """Enable, drain or disable an account; every process follows within a second."""
    services = _admitted(request)
    record = await services.pool.fetchrow(
        "UPDATE channel_accounts SET status = $2, updated_at = now() WHERE id = $1"
        " RETURNING id, channel, wallets, status, priority, fee_rate_millionths",
        account_id,
        change.status,
    )
    if record is None:
        raise not_found("channel account", "account_id")
    body: dict[str, Any] = dict(record)
    return json_answer(200, body).to_response()


_ACCOUNTS = "SELECT id, channel, wallets, status, priority, fee_rate_millionths FROM channel_accounts"


def _admitted(request: Request) -> Services:
    """Raises NotAuthenticated without the admin token."""
    services = services_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = services.settings.admin_token.get_secret_value()
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), expected.encode()):
        raise NotAuthenticated("invalid_admin_token", "Send the admin token as: Authorization: Bearer …")
    return services
