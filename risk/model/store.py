"""Models in PostgreSQL: saved once, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from risk.model.model import Model

SQL: Final = named_statements("risk.model", "models.sql")

Database: TypeAlias = asyncpg.Pool | Connection


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A version without its trees."""

    version: int
    note: str
    features: Sequence[str]
    trained: dict[str, Any]
    created_at: datetime


async def save(connection: Connection, model: Model) -> int:
    """Save a model, within the caller's transaction; its version."""
    version: int = await connection.fetchval(SQL["save"], model.note, orjson.dumps(model.to_json()).decode())
    return version


async def find(database: Database, version: int) -> Model | None:
    """A version as it was saved."""
    record = await database.fetchrow(SQL["find"], version)
    return None if record is None else Model.of(orjson.loads(record["document"]))


async def versions(database: Database) -> frozenset[int]:
    """What a rule set can name."""
    return frozenset(record["version"] for record in await database.fetch(SQL["versions"]))


async def history(database: Database, limit: int, *, below: int | None = None) -> Sequence[StoredModel]:
    """Versions, the newest first; those below a number, where it is given."""
    return [
        StoredModel(
            record["version"],
            record["note"],
            orjson.loads(record["features"]),
            orjson.loads(record["trained"]),
            record["created_at"],
        )
        for record in await database.fetch(SQL["list"], below, limit)
    ]
