"""Merchants and API keys in PostgreSQL.  Secrets are shown once: keys are stored hashed, signing secrets sealed."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

import asyncpg

from gateway.database.pool import Connection
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault, secret_hash
from gateway.merchants.quota import NO_QUOTA, Quota

Database: TypeAlias = asyncpg.Pool | Connection


class Scope(StrEnum):
    """What a key may do; a till's key need not refund."""

    PAY = "pay"
    REFUND = "refund"
    READ = "read"
    WEBHOOKS = "webhooks"
    """Say where events are told: not for a till's key, which could turn them away from the merchant's server."""


ALL_SCOPES: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who is paid.

    Its customers' ids are its own, or of a realm that several merchants share; category and region are what campaigns
    look at, where a store has none of its own (stores.py).
    """

    id: str
    name: str
    timezone: str
    signing_required: bool = False
    customer_realm: str | None = None
    category: str | None = None
    region: str | None = None
    quota: Quota = NO_QUOTA


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whom a presented key stands for, and what it may do."""

    merchant: Merchant
    key_id: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Signer:
    """The holder of a key that requests are signed with."""

    holder: KeyHolder
    signing_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewMerchant:
    """A merchant just created, with the one secret that is shown only now."""

    merchant: Merchant
    webhook_secret: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just created; `secret` and `signing_secret` are shown only now."""

    id: str
    secret: str
    signing_secret: str


async def create_merchant(
    database: Database,
    vault: Vault,
    name: str,
    timezone: str = "Asia/Shanghai",
    *,
    customer_realm: str | None = None,
    category: str | None = None,
    region: str | None = None,
) -> NewMerchant:
    """Write a new merchant."""
    merchant = Merchant(new_id("mer"), name, timezone, customer_realm=customer_realm, category=category, region=region)
    webhook_secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"  # as Standard Webhooks writes it
    await database.execute(
        "INSERT INTO merchants (id, name, timezone, webhook_secret_sealed, customer_realm, category, region)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        merchant.id,
        name,
        timezone,
        vault.seal(webhook_secret.encode(), merchant.id.encode()),
        customer_realm,
        category,
        region,
    )
    return NewMerchant(merchant, webhook_secret)


async def create_key(
    database: Database, vault: Vault, merchant_id: str, scopes: frozenset[Scope] = ALL_SCOPES, *, live: bool = False
) -> NewKey:
    """Write a new key.  Raises asyncpg.ForeignKeyViolationError where there is no such merchant."""
    key = NewKey(
        id=new_id("key"),
        secret=f"sk_{'live' if live else 'test'}_{secrets.token_urlsafe(24)}",
        signing_secret=secrets.token_urlsafe(32),
    )
    await database.execute(
        "INSERT INTO api_keys (id, merchant_id, secret_hash, hint, scopes, signing_secret_sealed)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        key.id,
        merchant_id,
        secret_hash(key.secret),
        key.secret[-4:],
        sorted(scopes),
        vault.seal(key.signing_secret.encode(), key.id.encode()),
    )
    return key


async def revoke_key(database: Database, merchant_id: str, key_id: str) -> bool:
    """Revoke a key at once; every process follows within a second.  False where there is no such key."""
    status = await database.execute(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 AND merchant_id = $2",
        key_id,
        merchant_id,
    )
    return str(status) == "UPDATE 1"


async def find_holder(database: Database, hashed_secret: bytes) -> KeyHolder | None:
    """Who holds the key with that hash; None for unknown and revoked keys and for suspended merchants."""
    record = await database.fetchrow(f"{_HOLDER} AND k.secret_hash = $1", hashed_secret)
    return None if record is None else _holder(record)


async def find_signer(database: Database, vault: Vault, key_id: str) -> Signer | None:
    """Who signs with the key of that id; None as above."""
    record = await database.fetchrow(f"{_HOLDER} AND k.id = $1", key_id)
    if record is None:
        return None
    return Signer(_holder(record), vault.open(record["signing_secret_sealed"], key_id.encode()).decode())


_HOLDER: Final = (
    "SELECT m.id, m.name, m.timezone, m.signing_required, m.customer_realm, m.category, m.region,"
    " m.payments_per_s, m.payments_burst, m.payments_in_flight_max, k.id AS key_id, k.scopes, k.signing_secret_sealed"
    " FROM api_keys k JOIN merchants m ON m.id = k.merchant_id WHERE k.revoked_at IS NULL AND m.status = 'active'"
)


def _holder(record: asyncpg.Record) -> KeyHolder:
    merchant = Merchant(
        record["id"],
        record["name"],
        record["timezone"],
        record["signing_required"],
        record["customer_realm"],
        record["category"],
        record["region"],
        Quota(record["payments_per_s"], record["payments_burst"], record["payments_in_flight_max"]),
    )
    return KeyHolder(merchant, record["key_id"], frozenset(Scope(scope) for scope in record["scopes"]))
