"""Decisions in PostgreSQL: append-only, one for each payment that was screened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from gateway.kernel.ids import first_ulid_at
from risk.decision import Decision, Missed, Verdict

SQL: Final = named_statements("risk.decisions", "decisions.sql")
PAGE: Final = 500

Database: TypeAlias = asyncpg.Pool | Connection


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """Of which payment it is, and what was decided."""

    payment_id: str
    merchant_id: str
    decision: Decision


async def find_decision(database: Database, payment_id: str, merchant_id: str | None = None) -> StoredDecision | None:
    """Of a payment, whoever's it is; None where no rule set was in force."""
    merchant_id = merchant_id or await database.fetchval(SQL["merchant_of"], payment_id)
    record = await database.fetchrow(SQL["find"], payment_id, merchant_id)
    return None if record is None else _stored(record)


class Span:
    """The payments whose ids were made in a time: from a moment (inclusive) to another one (exclusive)."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self._after, self._before = f"pay_{first_ulid_at(start)}", f"pay_{first_ulid_at(end)}"

    async def count(self, database: Database) -> int:
        """How many of them were screened."""
        found: int = await database.fetchval(SQL["count"], self._after, self._before)
        return found

    async def pages(self, database: Database) -> AsyncIterator[Sequence[StoredDecision]]:
        """Their decisions, by the payments' ids."""
        after = self._after
        while records := await database.fetch(SQL["page"], after, self._before, PAGE):
            yield [_stored(record) for record in records]
            after = records[-1]["payment_id"]


async def rules_named(database: Database, version: int, codes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rules of a version as JSON objects, by their codes."""
    records = await database.fetch(SQL["rules"], version, list(codes))
    found = [orjson.loads(record["rule"]) for record in records]
    return {rule["code"]: rule for rule in found}


def _stored(record: asyncpg.Record) -> StoredDecision:
    decision = Decision(
        verdict=Verdict(record["verdict"]),
        score=record["score"],
        reasons=tuple(record["hits"] or ()),
        no_discount=record["no_discount"],
        shadow=tuple(record["shadow"] or ()),
        version=record["version"],
        features=record["features"],
        missed=None if record["missed"] is None else Missed(record["missed"]),
        beyond_tolerance=record["beyond_tolerance"],
        at=record["at"],
    )
    return StoredDecision(record["payment_id"], record["merchant_id"], decision)
