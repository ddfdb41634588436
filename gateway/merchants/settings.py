"""What a merchant is and wants: its name and time zone, its receipts, its requests; read and changed."""

from __future__ import annotations

from dataclasses import dataclass
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


async def find_settings(database: Database, merchant_id: str) -> MerchantSettings | None:
    """None where there is no such merchant."""
    return _settings(await database.fetchrow(_SQL["find"], merchant_id))


async def hold_settings(database: Database, merchant_id: str) -> MerchantSettings | None:
    """The same, and nobody else changes them until the transaction ends."""
    return _settings(await database.fetchrow(_SQL["hold"], merchant_id))


async def change_settings(
    database: Database,
    merchant_id: str,
    *,
    name: str | None = None,
    timezone: str | None = None,
    signing_required: bool | None = None,
    receipt_discounts: str | None = None,
) -> MerchantSettings | None:
    """Change what is given; None where there is no such merchant.  Every process follows within a second."""
    changes = (name, timezone, signing_required, receipt_discounts)
    return _settings(await database.fetchrow(_SQL["change"], merchant_id, *changes))


def _settings(record: asyncpg.Record | None) -> MerchantSettings | None:
    return None if record is None else MerchantSettings(**record)
