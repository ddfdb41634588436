"""Rule sets in PostgreSQL: versions that never change, of which the one published last is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self, TypeAlias

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from gateway.kernel.secrets import Vault
from risk.rules import artefact
from risk.rules.making import PIECE_RULES, Known, Made

SQL: Final = named_statements("risk.rules", "rule_sets.sql")
VERSION_MAX: Final = 2**31 - 1

Database: TypeAlias = asyncpg.Pool | Connection


class Status(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    """It was never published."""
    LIVE = "live"
    RETIRED = "retired"
    """Another one has taken its place."""


@dataclass(frozen=True, slots=True)
class StoredRuleSet:
    """A version without its rules.  `published_at` is when it last came into force, None for a draft."""

    version: int
    head: dict[str, Any]
    rule_count: int
    test_count: int
    failures: tuple[dict[str, Any], ...]
    """What its tests have shown: Problem as JSON."""
    created_at: datetime
    published_at: datetime | None
    in_force: bool

    @classmethod
    def of(cls, record: asyncpg.Record) -> Self:
        """From the columns of rule_sets.sql."""
        return cls(
            version=record["version"],
            head=orjson.loads(record["head"]),
            rule_count=record["rule_count"],
            test_count=record["test_count"],
            failures=tuple(orjson.loads(record["failures"])),
            created_at=record["created_at"],
            published_at=record["published_at"],
            in_force=record["in_force"],
        )

    @property
    def status(self) -> Status:
        """Derived from what was published."""
        if self.in_force:
            return Status.LIVE
        return Status.DRAFT if self.published_at is None else Status.RETIRED

    @property
    def note(self) -> str:
        """Why it was made."""
        return str(self.head["note"])


class DifferingRule(NamedTuple):
    """A rule that one of two versions has otherwise, or not at all (None)."""

    code: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How many rules differ, and some of them by code."""

    added: int
    removed: int
    changed: int
    rules: tuple[DifferingRule, ...]


async def in_force(database: Database) -> StoredRuleSet:
    """The version in force; 0, without rules, before anything is published."""
    record = await database.fetchrow(SQL["in_force"])
    assert record is not None, "a migration publishes version 0"
    return StoredRuleSet.of(record)


async def find(database: Database, version: int) -> StoredRuleSet | None:
    """A version, in force or not."""
    record = await database.fetchrow(SQL["find"], version)
    return None if record is None else StoredRuleSet.of(record)


async def history(database: Database, limit: int, *, below: int | None = None) -> Sequence[StoredRuleSet]:
    """Versions, the newest first; those below a number, where it is given."""
    return [StoredRuleSet.of(record) for record in await database.fetch(SQL["list"], below, limit)]


async def rules_of(database: Database, version: int, first: int, limit: int) -> list[dict[str, Any]]:
    """The rules of a version as JSON objects, from a position on, in order."""
    piece, skipped = divmod(first, PIECE_RULES)
    pieces = -(-(skipped + limit) // PIECE_RULES)
    found: list[dict[str, Any]] = []
    for record in await database.fetch(SQL["pieces"], version, piece, pieces):
        found.extend(orjson.loads(record["rules"]))
    return found[skipped : skipped + limit]


async def document_of(database: Database, stored: StoredRuleSet) -> dict[str, Any]:
    """A version as `risk.rules.document.parse` takes it.  Of many rules it takes its time, and the event loop's."""
    return {**stored.head, "rules": await rules_of(database, stored.version, 0, stored.rule_count)}


async def known(database: Database) -> Known:
    """What a rule set that is written now can name."""
    record = await database.fetchrow(SQL["known"])
    assert record is not None, "without a FROM there is one row"
    return Known(frozenset(record["lists"]), frozenset(record["models"]))


async def save(connection: Connection, vault: Vault, made: Made) -> int:
    """Save a version, within the caller's transaction; its number."""
    told = orjson.dumps([*made.failures]).decode()
    head = orjson.dumps(made.head).decode()
    counts = made.rule_count, made.test_count
    version: int = await connection.fetchval(SQL["save"], head, *counts, told, list(made.lists))
    for number, piece in enumerate(made.pieces):
        await connection.execute(SQL["save_piece"], version, number, piece.decode())
    for number, sealed in enumerate(artefact.sealed(vault, version, made.artefact)):
        await connection.execute(SQL["save_artefact"], version, artefact.FORMAT, number, sealed)
    return version


async def missing(connection: Connection, stored: StoredRuleSet) -> list[str]:
    """The lists and the model that a version names and that are no more, in words.

    The lists that are there stay until the caller's transaction ends.
    """
    wanted: list[str] = await connection.fetchval(SQL["lists_named"], stored.version) or []
    there = {record["name"] for record in await connection.fetch(SQL["hold_lists"], wanted)}
    gone = [f"the list {name}" for name in wanted if name not in there]
    model = stored.head["model"]
    if model is not None and not await connection.fetchval(SQL["has_model"], model):
        gone.append(f"the model {model}")
    return gone


async def asks_in_force(database: Database, name: str) -> bool:
    """Whether the rules that were published last ask for a list, though no process has them yet."""
    asks: bool = await database.fetchval(SQL["asked_in_force"], name)
    return asks


async def difference(
    database: Database, after: int, before: int, limit: int, *, beyond: str | None = None
) -> Difference:
    """What one version has otherwise than another; the rules with codes beyond one, where it is given."""
    records = await database.fetch(SQL["difference"], after, before, beyond, limit)
    rules = tuple(
        DifferingRule(record["code"], _rule(record["before"]), _rule(record["after"]))
        for record in records
        if record["code"] is not None
    )
    return Difference(records[0]["added"], records[0]["removed"], records[0]["changed"], rules)


def _rule(text: str | None) -> dict[str, Any] | None:
    return None if text is None else orjson.loads(text)
