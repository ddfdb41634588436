"""Why a payment went where it went, and where it would go now: `POST /admin/v1/routing/explain`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg
import orjson
from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.admin.routing.explain_schemas import ExplainRequest, Explanation
from gateway.admin.routing.matches import SQL, sale_of
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.http.services import Services, services_of
from gateway.kernel.clock import rfc3339, utc_now
from gateway.kernel.errors import InvalidRequest, not_found
from gateway.kernel.secrets import SealBroken, Vault
from gateway.merchants.settings import find_settings
from gateway.trail.recording import tell_nothing
from routing.channels.base import Wallet
from routing.channels.codes import wallet_of
from routing.sale import Method, Price, Prices, Sale

_ANYBODY: Final = ""
"""The merchant of a sale for which none is named: it has no account and no rule of its own."""
_ANYWHERE: Final = "Asia/Shanghai"

router = admin_router()


@router.post("/routing/explain", response_model=Explanation, summary="Explain where a payment goes")
async def post_explain(request: Request, wanted: ExplainRequest) -> Response:
    """Candidates, filters, scores and choice: of each attempt of a payment, and what would be chosen now.

    Nothing changes by it: no turn of a split, no probe, no exploration is taken.
    """
    tell_nothing(request)
    services, database = services_of(request), database_of(request)
    if wanted.payment_id is not None:
        explained = await _of_payment(services, database, wanted)
    else:
        sale = await _sale_of_facts(database, wanted)
        explained = _explanation(services, sale, Prices.full(sale.amount_fen))
    return json_answer(200, explained).to_response()


async def _of_payment(
    services: Services, database: asyncpg.Pool | Connection, wanted: ExplainRequest
) -> dict[str, Any]:
    """Explanation.  Raises the 404, and InvalidRequest for facts beside a payment."""
    beside = next(iter(sorted(wanted.model_fields_set - {"payment_id"})), None)
    if beside is not None:
        raise InvalidRequest("invalid_field", f"“{beside}” does not go with “payment_id”.", param=beside)
    record = await database.fetchrow(SQL["payment"], wanted.payment_id)
    if record is None:
        raise not_found("payment", "payment_id")
    attempts = await database.fetch(SQL["attempts"], record["id"])
    about = {
        "payment_id": record["id"],
        "status": record["status"],
        "attempts": [_attempt(attempt) for attempt in attempts],
    }
    if record["wallet"] not in frozenset(Wallet):
        return _explanation(services) | about
    sale = sale_of(record)
    sale = replace(
        sale,
        at=utc_now().astimezone(sale.at.tzinfo),
        method=Method.PAGE if any(attempt["has_page"] for attempt in attempts) else sale.method,
        card_bin=_card_bin(record, services.vault),
    )
    price = Price(record["payable"], record["amount"] - record["payable"])
    return _explanation(services, sale, Prices(price)) | about


async def _sale_of_facts(database: asyncpg.Pool | Connection, wanted: ExplainRequest) -> Sale:
    """A sale as it is described.  Raises InvalidRequest."""
    if wanted.amount is None:
        raise InvalidRequest("missing_field", "“amount” is required, or a “payment_id”.", param="amount")
    wallet = _wallet(wanted)
    zone = ZoneInfo(await _timezone(database, wanted.merchant_id))
    try:
        at = (wanted.at or utc_now()).astimezone(zone)
    except OverflowError:
        raise InvalidRequest("invalid_field", "“at”: is outside of the calendar.", param="at") from None
    return Sale(
        seed="",
        merchant_id=wanted.merchant_id or _ANYBODY,
        amount_fen=wanted.amount,
        wallet=wallet,
        method=wanted.method or Method.BARCODE,
        at=at,
        store_id=wanted.store_id,
        terminal_id=wanted.terminal_id,
        operator_id=wanted.operator_id,
        card_bin=wanted.card_bin,
        is_static_code=wanted.static_code,
    )


def _wallet(wanted: ExplainRequest) -> Wallet:
    """The wallet that is named, or whose code it is; the code is never quoted."""
    if wanted.auth_code is None:
        if wanted.wallet is None:
            raise InvalidRequest("missing_field", "“wallet” or “auth_code” is required.", param="wallet")
        return wanted.wallet
    found = wallet_of(wanted.auth_code)
    if found is None:
        raise InvalidRequest("invalid_field", "“auth_code”: no wallet that we charge has it.", param="auth_code")
    if wanted.wallet not in {None, found}:
        raise InvalidRequest("invalid_field", "“wallet”: the code is another one's.", param="wallet")
    if wanted.method not in {None, Method.BARCODE}:
        raise InvalidRequest("invalid_field", "“method”: a code is charged as barcode.", param="method")
    return found


async def _timezone(database: asyncpg.Pool | Connection, merchant_id: str | None) -> str:
    if merchant_id is None:
        return _ANYWHERE
    merchant = await find_settings(database, merchant_id)
    if merchant is None:
        raise not_found("merchant", "merchant_id")
    return merchant.timezone


def _card_bin(record: asyncpg.Record, vault: Vault) -> str | None:
    """What the till said of the card, as long as its request is kept."""
    if record["request_sealed"] is None:
        return None
    try:
        fields = orjson.loads(vault.open(record["request_sealed"], record["id"].encode()))
    except SealBroken:
        return None
    customer = fields.get("customer") or {}
    found: str | None = customer.get("card_bin")
    return found


def _explanation(services: Services, sale: Sale | None = None, prices: Prices | None = None) -> dict[str, Any]:
    """Explanation of what would be decided now."""
    now = None if sale is None or prices is None else services.router.explain(sale, prices).to_json()
    return {
        "object": "routing_explanation",
        "payment_id": None,
        "status": None,
        "attempts": [],
        "sale": None if sale is None else _sale(sale),
        "now": now,
    }


def _attempt(record: asyncpg.Record) -> dict[str, Any]:
    """ExplainedAttempt."""
    return {
        "seq": record["seq"],
        "account": record["account_id"],
        "state": record["state"],
        "channel_code": record["channel_code"],
        "created_at": rfc3339(record["created_at"]),
        "finished_at": _moment(record["finished_at"]),
        "decision": None if record["routing"] is None else orjson.loads(record["routing"]),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


def _sale(sale: Sale) -> dict[str, Any]:
    """SaleObject."""
    return {
        "merchant_id": sale.merchant_id or None,
        "amount": sale.amount_fen,
        "wallet": sale.wallet,
        "method": sale.method,
        "at": sale.at.isoformat(timespec="milliseconds"),
        "store_id": sale.store_id,
        "terminal_id": sale.terminal_id,
        "operator_id": sale.operator_id,
        "card_bin": sale.card_bin,
        "static_code": sale.is_static_code,
    }
