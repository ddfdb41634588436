"""Steps of a version: a draft is published, another one takes its place, and it can be put in force again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.database.pool import Connection
from risk.rules.store import SQL, Status, StoredRuleSet, find, in_force, missing


class NoSuchVersion(Exception):
    """There is no version of that number."""


class RuleSetChanged(Exception):
    """Somebody else has published meanwhile; `version` is in force now, and nothing was changed."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} is in force")
        self.version = version


class NeverPublished(Exception):
    """A draft is nothing to go back to."""


class TestsFailed(Exception):
    """The version does not do what its tests say; nothing was changed."""

    __test__ = False

    def __init__(self, failures: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(f"{len(failures)} tests fail")
        self.failures = failures


class NamesMissing(Exception):
    """Lists or a model that the version names were deleted since it was saved; nothing was changed."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


class Publication(NamedTuple):
    """What is in force now, and the version that was before: the same where nothing had to change."""

    stored: StoredRuleSet
    before: int


async def publish(connection: Connection, version: int, base_version: int | None = None) -> Publication:
    """Put a version in force, within the caller's transaction; the one in force again changes nothing.

    Raises NoSuchVersion, TestsFailed, NamesMissing, and RuleSetChanged where another version than `base_version` is in
    force.
    """
    found, current = await _held(connection, version, base_version)
    if found.failures:
        raise TestsFailed(found.failures)
    return await _put_in_force(connection, found, current)


async def roll_back(connection: Connection, version: int, base_version: int | None = None) -> Publication:
    """Put a version in force again that was before, within the caller's transaction; 0 ends all rules.

    Raises NoSuchVersion, NeverPublished, NamesMissing, and RuleSetChanged where another version than `base_version` is
    in force.
    """
    found, current = await _held(connection, version, base_version)
    if found.status is Status.DRAFT:
        raise NeverPublished
    return await _put_in_force(connection, found, current)


async def _held(connection: Connection, version: int, base_version: int | None) -> tuple[StoredRuleSet, StoredRuleSet]:
    """The version, and the one in force, which stays so until the transaction ends."""
    await connection.execute(SQL["lock"])
    current = await in_force(connection)
    found = await find(connection, version)
    if found is None:
        raise NoSuchVersion
    if base_version is not None and current.version not in (base_version, version):
        raise RuleSetChanged(current.version)
    return found, current


async def _put_in_force(connection: Connection, found: StoredRuleSet, current: StoredRuleSet) -> Publication:
    if found.version == current.version:
        return Publication(current, current.version)
    if gone := await missing(connection, found):
        raise NamesMissing(gone)
    await connection.execute(SQL["publish"], found.version)
    return Publication(await in_force(connection), current.version)
