"""What a merchant is and wants: name, time zone, receipts, what campaigns and risk rules look at; read and changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from gateway.database.pool import named_statements
from gateway.merchants.store import Database

_SQL: Final = named_statements("gateway.merchants", "settings.sql")


@dataclass(frozen=True, slots=True)
class MerchantSettings:
    """A merchant as it stands, without secrets."""

    id: str
    name: str
    status: str
    timezone: str
    signing_required: bool
    receipt_discounts: str
    customer_realm: str | None
    category: str | None
    region: str | None
    risk_tier: str | None
    risk_open_amount_max: int | None
    payments_per_s: int | None
    payments_burst: int | None
    payments_in_flight_max: int | None


async def find_settings(database: Database, merchant_id: str) -> MerchantSettings | None:
    """None where there is no such merchant."""
    return _settings(await database.fetchrow(_SQL["find"], merchant_id))


async def hold_settings(database: Database, merchant_id: str) -> MerchantSettings | None:
    """The same, and nobody else changes them until the transaction ends."""
    return _settings(await database.fetchrow(_SQL["hold"], merchant_id))


async def save_settings(database: Database, settings: MerchantSettings) -> None:
    """Write settings over those of a merchant that are held.  Every process follows within a second."""
    await database.execute(
        _SQL["save"],
        settings.id,
        settings.name,
        settings.timezone,
        settings.signing_required,
        settings.receipt_discounts,
        settings.customer_realm,
        settings.category,
        settings.region,
        settings.risk_tier,
        settings.risk_open_amount_max,
        settings.payments_per_s,
        settings.payments_burst,
        settings.payments_in_flight_max,
        settings.status,
    )


async def list_settings(
    database: Database, limit: int, *, below: str | None = None, name: str | None = None
) -> Sequence[MerchantSettings]:
    """Merchants, the newest first; those below an id and with that part of a name, where they are given."""
    return [MerchantSettings(**record) for record in await database.fetch(_SQL["list"], limit, below, name)]


@dataclass(frozen=True, slots=True)
class KeyListed:
    """A key as it may be shown: `hint` is its last characters."""

    id: str
    merchant_id: str
    hint: str
    scopes: Sequence[str]
    created_at: datetime
    revoked_at: datetime | None


async def list_keys(database: Database, merchant_id: str) -> Sequence[KeyListed]:
    """A merchant's keys, the newest first, revoked ones among them."""
    return [KeyListed(**record) for record in await database.fetch(_SQL["keys"], merchant_id)]


def _settings(record: asyncpg.Record | None) -> MerchantSettings | None:
    return None if record is None else MerchantSettings(**record)
