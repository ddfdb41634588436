"""Stored payments, rule sets and models for a back-test: read from the database, the requests with the master key."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import numpy as np
import orjson

from gateway.audit.command import find_places
from gateway.audit.findings import CannotAudit
from gateway.database.pool import named_statements
from gateway.devstack.options import DEFAULT_STATE
from gateway.devstack.secrets import load_secrets
from gateway.kernel.ids import first_ulid_at
from gateway.kernel.secrets import SealBroken, Vault
from gateway.processes.errors import StackError
from risk.backtest.column import plain_column
from risk.backtest.history import DAY_MS, FIELD_OF, NEVER_MS, History, Later
from risk.backtest.timeline import Timeline
from risk.distance import distance_km
from risk.facts import CodeType, Location
from risk.model import store as models
from risk.model.model import Model
from risk.rules import store as rule_sets
from risk.rules.restoring import restored
from risk.rules.rule import RuleSet
from risk.velocity.spec import LABEL_DELAY_S, WINDOW_S_MAX, Series
from risk.velocity.travel import Place

_SQL: Final = named_statements("gateway.commandline.risk.backtest", "stored.sql")
_PAGE: Final = 20_000
_WARM: Final = timedelta(seconds=WINDOW_S_MAX + LABEL_DELAY_S)
"""Payments that are older are in no window."""
_MASTER_KEY: Final = "MASHANG_MASTER_KEY"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOLD: Final = {"refunds": Series.REFUNDS, "complaints": Series.COMPLAINTS, "declines": Series.DECLINES}

_Found = TypeVar("_Found")


def stored_history(state: Path, begin: datetime | None, end: datetime | None) -> History:
    """The payments up to `end`, with as many before `begin` as fill the longest window.  Raises StackError."""
    first = None if begin is None else begin.replace(tzinfo=UTC) - _WARM
    last = datetime.now(UTC) if end is None else end.replace(tzinfo=UTC)
    bounds = "pay_" if first is None else f"pay_{first_ulid_at(max(first, _EPOCH))}", f"pay_{first_ulid_at(last)}"
    history = _asked(state, _read(_url(state), _vault(state), bounds))
    if history is None:
        raise StackError("There are no payments of that time.")
    return history


def stored_rule_set(state: Path, version: int | None) -> tuple[RuleSet, int]:
    """A version, or what is in force, with its number.  Raises StackError."""

    async def ask() -> tuple[RuleSet, int] | None:
        connection = await asyncpg.connect(_url(state))
        try:
            stored = await (rule_sets.in_force(connection) if version is None else rule_sets.find(connection, version))
            if stored is None:
                return None
            document = await rule_sets.document_of(connection, stored)
            return restored(document), stored.version
        finally:
            await connection.close()

    found = _asked(state, ask())
    if found is None:
        raise StackError(f"There is no version {version} of the risk rules.")
    return found


def stored_model(state: Path, version: int) -> Model:
    """Raises StackError."""

    async def ask() -> Model | None:
        connection = await asyncpg.connect(_url(state))
        try:
            return await models.find(connection, version)
        finally:
            await connection.close()

    found = _asked(state, ask())
    if found is None:
        raise StackError(f"There is no model {version}.")
    return found


def _asked(state: Path, question: Coroutine[Any, Any, _Found]) -> _Found:
    try:
        return asyncio.run(question)
    except (OSError, asyncpg.PostgresError) as error:
        raise StackError(f"The database of {state} could not be asked: {error}") from None


def _url(state: Path) -> str:
    try:
        return find_places(None if state == DEFAULT_STATE else state, ()).database_url
    except CannotAudit as error:
        raise StackError(str(error)) from None


def _vault(state: Path) -> Vault:
    """From the environment, else the stack that runs on `state`.  Raises StackError."""
    key = os.environ.get(_MASTER_KEY)
    if key is None and not (state / "secrets.json").exists():
        raise StackError(f"The stored requests are sealed: set {_MASTER_KEY}.")
    try:
        return Vault(base64.b64decode(key or load_secrets(state).master_key, validate=True))
    except (binascii.Error, ValueError):
        raise StackError(f"{_MASTER_KEY} is 32 bytes in base64.") from None


async def _read(url: str, vault: Vault, bounds: tuple[str, str]) -> History | None:
    connection = await asyncpg.connect(url)
    try:
        rows: list[dict[str, Any]] = []
        after, until = bounds
        while records := await connection.fetch(_SQL["payments"], after, until, _PAGE):
            rows.extend(_row(record, vault) for record in records)
            after = records[-1]["id"]
        rows.sort(key=lambda row: row["at_ms"])
        told = {series: await connection.fetch(_SQL[name], *bounds) for name, series in _TOLD.items()}
    finally:
        await connection.close()
    return _history(rows, told) if rows else None


def _row(record: asyncpg.Record, vault: Vault) -> dict[str, Any]:
    """A payment as rules saw it, by the names of fields and of dimensions; of an erased request, what else is known."""
    said = _request(record, vault)
    customer = said.get("customer") or {}
    device = customer.get("device_id")
    realm = record["customer_realm"]
    keys = {
        "customer": None if record["customer"] is None else record["customer"].hex(),
        "device": None if device is None else vault.keyed_hash(f"{realm}\n{device}".encode()).hex(),
        "ip": customer.get("ip"),
        "card": customer.get("card_bin"),
        "merchant": record["merchant_id"],
        "store": record["store_id"],
        "terminal": record["terminal_id"],
        "operator": record["operator_id"],
        "code": record["code_id"],
        "region": record["region"],
        "wallet": None if record["any_wallet"] else record["wallet"],
        "code_type": str(_code_type(record)),
    }
    return {
        "id": record["id"],
        "at_ms": _ms(record["created_at"]),
        "timezone": record["timezone"],
        "keys": keys,
        "amount_fen": record["amount"],
        "discount_fen": record["discount"],
        "fraud": bool(record["fraud"]),
        "known_ms": NEVER_MS if record["known_at"] is None else _ms(record["known_at"]),
        "fields": _fields(record, said, customer, keys),
        "place": _place(record, customer.get("location")),
    }


def _request(record: asyncpg.Record, vault: Vault) -> Mapping[str, Any]:
    if record["request_sealed"] is None:
        return {}
    try:
        found: Mapping[str, Any] = orjson.loads(vault.open(record["request_sealed"], record["id"].encode()))
    except SealBroken:
        raise StackError(f"This {_MASTER_KEY} does not open the stored requests.") from None
    return found


def _code_type(record: asyncpg.Record) -> CodeType:
    if record["method"] == "barcode":
        return CodeType.BARCODE
    return CodeType.DYNAMIC if record["code_id"] is None else CodeType.STATIC


def _fields(
    record: asyncpg.Record, said: Mapping[str, Any], customer: Mapping[str, Any], keys: Mapping[str, str | None]
) -> dict[str, Any]:
    return {
        **{field: keys[dimension] for dimension, field in FIELD_OF.items()},
        "payment.amount": record["amount"],
        "payment.method": "page" if record["any_wallet"] else record["method"],
        "payment.category": record["category"],
        "payment.has_coupon": bool(said.get("coupons")),
        "payment.distance_km": _distance_km(record, customer.get("location")),
        "merchant.age_days": max((record["created_at"] - record["merchant_since"]).days, 0),
        "merchant.tier": record["risk_tier"],
        "device.known": keys["device"] is not None,
        "device.rooted": customer.get("device_rooted"),
        "customer.known": keys["customer"] is not None,
    }


def _place(record: asyncpg.Record, location: Mapping[str, float] | None) -> Place | None:
    """Where the customer is, or else the store."""
    latitude, longitude = (
        (record["latitude"], record["longitude"]) if location is None else (location["latitude"], location["longitude"])
    )
    return None if latitude is None else Place(round(latitude * 100), round(longitude * 100))


def _distance_km(record: asyncpg.Record, location: Mapping[str, float] | None) -> float | None:
    if location is None or record["latitude"] is None:
        return None
    here = Location(location["latitude"], location["longitude"])
    return distance_km(here, Location(record["latitude"], record["longitude"]))


def _history(rows: Sequence[Mapping[str, Any]], told: Mapping[Series, Iterable[asyncpg.Record]]) -> History:
    at_ms = np.array([row["at_ms"] for row in rows], dtype=np.int64)
    places = {row["id"]: place for place, row in enumerate(rows)}
    first_ms = int(at_ms[0])
    return History(
        ids=[row["id"] for row in rows],
        timeline=Timeline(at_ms),
        timezones=[row["timezone"] for row in rows],
        fields={name: plain_column([row["fields"][name] for row in rows]) for name in rows[0]["fields"]},
        keys={name: [row["keys"][name] for row in rows] for name in rows[0]["keys"]},
        amount_fen=np.array([row["amount_fen"] for row in rows], dtype=np.int64),
        discount_fen=np.array([row["discount_fen"] for row in rows], dtype=np.int64),
        fraud=np.array([row["fraud"] for row in rows], dtype=np.bool_),
        known_ms=np.array([row["known_ms"] for row in rows], dtype=np.int64),
        day_zero_ms=first_ms - first_ms % DAY_MS,
        later={series: _later(records, places) for series, records in told.items()},
        places=[row["place"] for row in rows],
    )


def _later(records: Iterable[asyncpg.Record], places: Mapping[str, int]) -> Later:
    told = [
        (places[each["payment_id"]], _ms(each["at"]), each["amount"])
        for each in records
        if each["payment_id"] in places
    ]
    columns = np.array(told, dtype=np.int64).reshape(-1, 3)
    return Later(columns[:, 0], columns[:, 1], columns[:, 2])


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
