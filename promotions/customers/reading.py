"""Reads what is known of customers: their orders, what they took of campaigns, and the coupons that they hold.

All payments that wait for it are read in one statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import asyncpg
import orjson

from gateway.database.held import Sender
from gateway.database.pool import named_statements
from promotions.campaigns.campaign import Scope
from promotions.facts import Coupon, History, Uses

SQL: Final = named_statements("promotions.customers", "statements.sql")
_SCOPES: Final = {str(scope): scope for scope in Scope}
_day: Final = lru_cache(64)(date.fromisoformat)
"""Nearly always today, or the day that stands for all."""


class Wanted(NamedTuple):
    """Whose history: the keyed hashes (the customer's as bytes and in hex), the BIN's in hex, and where he pays.

    A tuple, for the fields stand in the order of the statement's arrays; the last one, the BIN's digits, is none of
    them: they are stored nowhere.
    """

    customer: bytes
    customer_key: str
    device_key: str | None
    bin_key: str | None
    merchant_id: str
    card_bin: str | None


class Read(NamedTuple):
    """What was found, and the database's time of it."""

    history: History
    at: datetime


class Reader(Protocol):
    """Who takes a wish and reads it together with whatever else waits (`GroupCommit`)."""

    def begin(self, row: Wanted) -> asyncio.Future[Read]: ...


class Histories:
    """The statement for a batch of payments."""

    def __init__(self, pool: Sender) -> None:
        self._pool = pool

    async def flush(self, wanted: Sequence[Wanted]) -> list[Read | Exception]:
        """One answer for each, in their order.  Raises what the database raises."""
        columns = list(zip(*wanted, strict=True))[:-1]
        records = await self._pool.fetch(SQL["histories"], *columns)
        return [_read(record, each) for record, each in zip(records, wanted, strict=True)]


def _read(record: asyncpg.Record, wanted: Wanted) -> Read:
    with_bin, at_merchant, by_wallet = record["orders_with_bin"], record["orders_at_merchant"], record["by_wallet"]
    history = History(
        orders=record["orders"],
        spent_fen=record["spent"],
        first_at=record["first_at"],
        last_at=record["last_at"],
        orders_by_wallet={} if by_wallet == "{}" else orjson.loads(by_wallet),
        orders_by_bin={wanted.card_bin: with_bin} if wanted.card_bin and with_bin else {},
        orders_by_merchant={wanted.merchant_id: at_merchant} if at_merchant else {},
        segments=tuple(record["segments"]),
        uses=_uses(record["uses"]),
        coupons=_coupons(record["coupons"]),
    )
    return Read(history, record["at"])


def _uses(stored: str | None) -> Mapping[tuple[str, Scope, date], Uses]:
    if stored is None:
        return {}
    return {
        (campaign_id, _SCOPES[scope], _day(day)): Uses(count, fen)
        for campaign_id, scope, day, count, fen in orjson.loads(stored)
    }


def _coupons(stored: str | None) -> tuple[Coupon, ...]:
    if stored is None:
        return ()
    rows: list[list[Any]] = orjson.loads(stored)
    return tuple(
        [
            Coupon(coupon_id, campaign_id, None if expires_at is None else datetime.fromisoformat(expires_at))
            for coupon_id, campaign_id, expires_at in rows
        ]
    )
