"""Policies in PostgreSQL: versions that never change, the one published last in force; and the one in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Self, TypeAlias

import asyncpg
import orjson

from gateway.database.pool import Connection, named_statements
from gateway.kernel.metrics import POLICY_VERSION
from routing.policy.compiled import NO_POLICY, CompiledPolicy
from routing.policy.document import parse
from routing.policy.reading import PolicyError
from routing.policy.rules import PolicyDocument

SQL: Final = named_statements("routing.policy", "policies.sql")
VERSION_MAX: Final = 2**31 - 1
_LOOKED_BACK_MAX: Final = 20
"""Publications before one that cannot be used."""

Database: TypeAlias = asyncpg.Pool | Connection

_log: Final = logging.getLogger("mashang.policy")


class PolicyChanged(Exception):
    """Somebody else has published meanwhile; `version` is in force now, and nothing was changed."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} is in force")
        self.version = version


class NoSuchVersion(Exception):
    """There is no version of that number, or none before the first."""


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A version as it is stored.  `document` is its JSON, `published_at` when it last came into force."""

    version: int
    document: dict[str, Any]
    created_at: datetime
    published_at: datetime

    @classmethod
    def of(cls, record: asyncpg.Record) -> Self:
        """From the columns of policies.sql."""
        document = _object(record["document"])
        return cls(record["version"], document, record["created_at"], record["published_at"])

    @property
    def note(self) -> str:
        """Why it was made."""
        return str(self.document.get("note", ""))

    @property
    def rule_count(self) -> int:
        """How many rules it has, those that are switched off too."""
        return len(self.document.get("rules", ()))


def _object(text: str) -> dict[str, Any]:
    """What somebody has broken by hand is shown as empty: it must not be in the way of what mends it."""
    try:
        found = orjson.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Publication(NamedTuple):
    """What is in force now, and the version that was before: the same where nothing had to change."""

    policy: StoredPolicy
    before: int


async def in_force(database: Database) -> StoredPolicy:
    """The version that was published last."""
    record = await database.fetchrow(SQL["in_force"])
    assert record is not None, "the migration publishes version 0"
    return StoredPolicy.of(record)


async def find(database: Database, version: int) -> StoredPolicy | None:
    """The version of that number."""
    record = await database.fetchrow(SQL["find"], version)
    return None if record is None else StoredPolicy.of(record)


async def history(database: Database, limit: int, *, before: int | None = None) -> Sequence[StoredPolicy]:
    """Versions, the newest first; those below `before`, where it is given."""
    return [StoredPolicy.of(record) for record in await database.fetch(SQL["list"], before, limit)]


async def known_accounts(database: Database) -> frozenset[str]:
    """The ids of all channel accounts, whatever their status."""
    return frozenset(record["id"] for record in await database.fetch(SQL["known_accounts"]))


async def publish(connection: Connection, document: PolicyDocument, base_version: int | None = None) -> Publication:
    """Save a new version and put it in force, within the caller's transaction; the same policy again changes nothing.

    Raises PolicyChanged where another version than `base_version` is in force.
    """
    await connection.execute(SQL["lock"])
    current = await in_force(connection)
    if current.document == document.to_json():
        return Publication(current, current.version)
    if base_version is not None and base_version != current.version:
        raise PolicyChanged(current.version)
    version = await connection.fetchval(SQL["save"], orjson.dumps(document.to_json()).decode())
    return await _put_in_force(connection, version, current)


async def roll_back(connection: Connection, version: int | None = None) -> Publication:
    """Put an earlier version in force again, within the caller's transaction; the one before without a number.

    The one before is what was in force when the present version first came: going back twice goes back twice.
    Raises NoSuchVersion, and PolicyError for a version that cannot be used any more (accounts that have gone are no
    reason).
    """
    await connection.execute(SQL["lock"])
    current = await in_force(connection)
    if version is None:
        version = await connection.fetchval(SQL["before"], current.version)
    found = None if version is None else await find(connection, version)
    if found is None:
        raise NoSuchVersion
    if found.version == current.version:
        return Publication(current, current.version)
    parse(found.document, None)
    return await _put_in_force(connection, found.version, current)


async def _put_in_force(connection: Connection, version: int, current: StoredPolicy) -> Publication:
    await connection.execute(SQL["publish"], version)
    return Publication(await in_force(connection), current.version)


def _compiled(document: str, version: int) -> CompiledPolicy:
    """Raises PolicyError, and ValueError for what is no JSON to us."""
    return CompiledPolicy(parse(orjson.loads(document), None), version)


class PolicyBook:
    """The policy in force in this process; `reload` is told of every change in the database (RevisionWatch)."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._refused: int | None = None
        self.current: CompiledPolicy = NO_POLICY

    async def reload(self) -> None:
        """Take over the published version; one that does not compile leaves the present one in force.

        A process that has only begun has none: it takes what was in force before.
        """
        record = await self._pool.fetchrow(SQL["in_force"])
        if record is None or record["version"] in {self.current.version, self._refused}:
            return
        if await self._take(record):
            return
        if self.current is NO_POLICY:
            for earlier in await self._pool.fetch(SQL["in_force_before"], record["version"], _LOOKED_BACK_MAX):
                if await self._take(earlier):
                    break
        self._refused = record["version"]

    async def _take(self, record: asyncpg.Record) -> bool:
        version = record["version"]
        try:
            self.current = await asyncio.to_thread(_compiled, record["document"], version)
        except (PolicyError, ValueError) as error:
            _log.error(
                "a published routing policy cannot be used: the one before stays in force",
                extra={"policy_version": version, "reason": str(error)},
            )
            return False
        self._refused = None
        POLICY_VERSION.set(version)
        _log.info("routing policy in force", extra={"policy_version": version})
        return True
