"""What `GET /admin/v1/routing/accounts` gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from gateway.admin.access import example
from routing.accounts.book import AccountStatus
from routing.channels.base import Wallet
from routing.health.standing import BreakerState
from routing.sale import Method

_EXAMPLE: Final[dict[str, Any]] = {
    "object": "routing_account",
    "id": "wechat_direct",
    "channel": "wechat",
    "merchant_id": None,
    "status": "enabled",
    "priority": 100,
    "fee_rate_millionths": 3800,
    "open_now": True,
    "maintenance": [
        {
            "from": "2026-11-23T18:00:00.000Z",
            "until": "2026-11-23T20:00:00.000Z",
            "note": "New certificate",
            "now": False,
        }
    ],
    "in_flight": 3,
    "in_flight_max": 64,
    "day": {"captured": 1284300, "limit": None},
    "month": {"captured": 30498100, "limit": 500000000},
    "cells": [
        {
            "wallet": "wechat",
            "method": "barcode",
            "breaker": "closed",
            "success": 0.9981,
            "evidence": 812.4,
            "p50_ms": 184.0,
            "p99_ms": 912.0,
            "p999_ms": 1880.0,
        }
    ],
}


class CellObject(BaseModel):
    """How an account does for one wallet and method; latencies are null while nothing is known of them."""

    wallet: Wallet
    method: Method
    breaker: BreakerState
    success: Annotated[float, Field(description="The probability that it answers as a healthy channel does.")]
    evidence: Annotated[float, Field(description="On so many payments, of all processes, that rests; old ones fade.")]
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None


class MaintenanceObject(BaseModel):
    """An announced window that is not over."""

    from_: Annotated[datetime, Field(alias="from")]
    until: datetime
    note: str
    now: bool


class SumObject(BaseModel):
    """What was captured, in fen, about a second ago; `limit` null where there is none."""

    captured: int
    limit: int | None


class RoutingAccount(BaseModel):
    """A channel account as the router sees it, in the process that answers: health is shared by all within a second."""

    model_config = example(_EXAMPLE)

    object: Literal["routing_account"]
    id: str
    channel: str
    merchant_id: str | None
    status: AccountStatus
    priority: int
    fee_rate_millionths: int
    open_now: Annotated[bool, Field(description="Within its opening hours, and not in maintenance.")]
    maintenance: list[MaintenanceObject]
    in_flight: Annotated[int, Field(description="Calls under way in this process.")]
    in_flight_max: Annotated[int, Field(description="At so many it takes no more for now; it adapts.")]
    day: SumObject
    month: SumObject
    cells: list[CellObject]


class RoutingAccounts(BaseModel):
    """Accounts by id."""

    model_config = example({"object": "list", "data": [_EXAMPLE], "has_more": False})

    object: Literal["list"]
    data: list[RoutingAccount]
    has_more: bool
