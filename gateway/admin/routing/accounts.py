"""How the channel accounts do, for operators: `GET /admin/v1/routing/accounts`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final, NamedTuple

import asyncpg
from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.accounts.schemas import AfterAccountId, OfMerchant
from gateway.admin.routing.account_schemas import RoutingAccounts
from gateway.admin.routing.matches import SQL
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.clock import BEIJING, rfc3339, utc_now
from routing.accounts.book import Account
from routing.channels.base import Wallet
from routing.health.health import Health
from routing.health.standing import Standing
from routing.sale import Cell, Method

router = admin_router()


class _Sums(NamedTuple):
    """Captured by an account, in fen."""

    day_fen: int = 0
    month_fen: int = 0


_NOTHING: Final = _Sums()


@router.get("/routing/accounts", response_model=RoutingAccounts, summary="Show how the channel accounts do")
async def get_routing_accounts(
    request: Request,
    *,
    merchant_id: OfMerchant = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    starting_after: AfterAccountId = None,
) -> Response:
    """Accounts by id, of one merchant or of all: breakers, success, latency, calls under way, sums, maintenance."""
    services = services_of(request)
    found = sorted(
        (
            account
            for account in services.accounts
            if (merchant_id is None or account.merchant_id == merchant_id)
            and (starting_after is None or account.id > starting_after)
        ),
        key=lambda account: account.id,
    )
    page, now = found[:limit], utc_now()
    sums = await _sums(services.pool, page, now)
    data = [_object(account, services.health, sums.get(account.id, _NOTHING), now) for account in page]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


async def _sums(pool: asyncpg.Pool, accounts: Sequence[Account], now: datetime) -> Mapping[str, _Sums]:
    """Of today and this month, in each account's time zone; accounts that took nothing are left out."""
    ids, days = [account.id for account in accounts], [_day_of(account, now) for account in accounts]
    records = await pool.fetch(SQL["account_sums"], ids, days)
    return {record["account_id"]: _Sums(record["day_fen"], record["month_fen"]) for record in records}


def _day_of(account: Account, now: datetime) -> date:
    hours = account.terms.hours
    return now.astimezone(BEIJING if hours is None else hours.zone).date()


def _object(account: Account, health: Health, sums: _Sums, now: datetime) -> dict[str, Any]:
    """RoutingAccount."""
    terms = account.terms
    cells = list(_cells_of(account))
    load = health.standing(cells[0]) if cells else None
    return {
        "object": "routing_account",
        "id": account.id,
        "channel": account.kind,
        "merchant_id": account.merchant_id,
        "status": account.status,
        "priority": account.priority,
        "fee_rate_millionths": account.fee_rate_millionths,
        "open_now": terms.is_open(now) and not terms.is_maintained(now),
        "maintenance": [
            {
                "from": rfc3339(window.since),
                "until": rfc3339(window.until),
                "note": window.note,
                "now": window.covers(now),
            }
            for window in sorted(terms.maintenance, key=lambda window: window.since)
            if window.until > now
        ],
        "in_flight": 0 if load is None else load.in_flight,
        "in_flight_max": 0 if load is None else load.in_flight_max,
        "day": {"captured": sums.day_fen, "limit": terms.limits.day_fen},
        "month": {"captured": sums.month_fen, "limit": terms.limits.month_fen},
        "cells": [_cell(cell, health.standing(cell)) for cell in cells],
    }


def _cells_of(account: Account) -> Iterator[Cell]:
    """What it is set up for, in the order of the enums."""
    for wallet in Wallet:
        for method in Method:
            if account.takes(wallet, method):
                yield Cell(account.id, wallet, method)


def _cell(cell: Cell, standing: Standing) -> dict[str, Any]:
    """CellObject."""
    return {
        "wallet": cell.wallet,
        "method": cell.method,
        "breaker": standing.state,
        "success": round(standing.success, 4),
        "evidence": round(standing.weight, 1),
        "p50_ms": _milliseconds(standing.p50_s),
        "p99_ms": _milliseconds(standing.p99_s),
        "p999_ms": _milliseconds(standing.p999_s),
    }


def _milliseconds(seconds: float) -> float | None:
    return round(seconds * 1_000, 1) if math.isfinite(seconds) else None
