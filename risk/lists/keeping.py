"""Lists and their entries in PostgreSQL: made, put, removed, looked up.  All in the caller's transaction.

Whoever changes a list holds it until the transaction ends; what has changed is compiled in the same transaction
(compiling.py), so that processes that hear of it find it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from gateway.database.pool import Connection
from gateway.kernel.secrets import Vault
from risk.lists.book import SQL
from risk.lists.compiling import compile_these
from risk.lists.entry import NAMES, NUMBERS, Entry, Hasher, Value, opened, sealed

ENTRIES_MAX: Final = 10_000_000
"""Of one list: what a process holds in some 120 MB."""
LISTS_MAX: Final = 100
BUILT_IN: Final = frozenset({"block", "allow", "watch"})
_SLICE: Final = 200
"""Entries hashed and sealed before others have their turn: a millisecond."""
_ROWS: Final = 500
"""In one statement: its arguments are encoded in one go."""

Database: TypeAlias = asyncpg.Pool | Connection


class ListRow(NamedTuple):
    """A list; `entries` counts what has expired until it is swept."""

    name: str
    description: str
    edition: int
    created_at: datetime
    revision: int
    entries: int


class Found(NamedTuple):
    """An entry as it stands on a list; `value` is None where only its hash is known."""

    list: str
    field: str
    hash: int
    value: Value | None
    reason: str
    expires_at: datetime | None
    person: str | None
    at: datetime


class Put(NamedTuple):
    """How many entries are new, and how many stood there and were renewed."""

    added: int
    renewed: int


class ListFull(Exception):
    """The list would have more than ENTRIES_MAX entries."""


async def hold(connection: Connection, name: str) -> ListRow | None:
    """A list, which nobody else changes until the transaction ends; None where there is none."""
    return (await hold_all(connection, [name])).get(name)


async def hold_all(connection: Connection, names: Iterable[str]) -> Mapping[str, ListRow]:
    """Several lists, by name: whoever changes more than one in a transaction holds all of them first."""
    rows = [ListRow(*record) for record in await connection.fetch(SQL["hold"], sorted(names))]
    return {row.name: row for row in rows}


async def read_lists(database: Database, name: str | None = None) -> Sequence[ListRow]:
    """All lists by name, or that one."""
    return [ListRow(*record) for record in await database.fetch(SQL["list"], name)]


async def count_by_field(database: Database, editions: Iterable[int]) -> Mapping[int, Mapping[str, int]]:
    """How many entries of each field the editions have, as compiled."""
    counts: dict[int, dict[str, int]] = {}
    for record in await database.fetch(SQL["counts"], list(editions)):
        counts.setdefault(record["edition"], {})[NAMES[record["field"]]] = record["entries"]
    return counts


async def realms_of(database: Database, merchant_ids: Iterable[str]) -> Mapping[str, str]:
    """What the ids of these merchants' customers and devices belong to; unknown merchants are not among them."""
    return {record["id"]: record["realm"] for record in await database.fetch(SQL["realms"], sorted(set(merchant_ids)))}


async def create_list(connection: Connection, name: str, description: str) -> bool:
    """False where there is one of that name."""
    edition = await connection.fetchval(SQL["new_edition"])
    return await connection.fetchval(SQL["new_list"], name, description, edition) is not None


async def delete_list(connection: Connection, name: str) -> None:
    """The worker sweeps what stood on it."""
    await connection.execute(SQL["delete_list"], name)


async def put_entries(
    connection: Connection, vault: Vault, held: ListRow, entries: Sequence[Entry], *, person: str | None, reason: str
) -> Put:
    """Put entries on a list that is held; where an import is about to replace it, into that edition as well.

    Raises ListFull.
    """
    change = await connection.fetchval(SQL["new_change"], held.name, person, reason)
    put = await store_entries(connection, vault, held.edition, change, entries)
    filling = await connection.fetchval(SQL["filling"], held.name)
    if filling is not None:
        await store_entries(connection, vault, filling, change, entries)
    await compile_these(connection, held.edition, [(entry.field, entry.hash) for entry in entries])
    return put


async def remove_entries(connection: Connection, held: ListRow, keys: Iterable[tuple[str, int]]) -> int:
    """Take entries (field and hash) off a list that is held; how many stood there.

    Where an import is about to replace it, they come off that edition too: what was put in both is gone from both.
    """
    wanted = set(keys)
    fields, hashes = [NUMBERS[field] for field, _ in wanted], [hash_ for _, hash_ in wanted]
    removed: int = await connection.fetchval(SQL["remove"], held.edition, fields, hashes)
    if removed:
        await compile_these(connection, held.edition, wanted)
    filling = await connection.fetchval(SQL["filling"], held.name)
    if filling is not None:
        await connection.execute(SQL["remove"], filling, fields, hashes)
    return removed


async def store_entries(
    connection: Connection, vault: Vault, edition: int, change: int, entries: Sequence[Entry]
) -> Put:
    """Write entries into an edition; their parts are stale then.  The last of two with one value counts.

    Raises ListFull.
    """
    added = renewed = 0
    for at in range(0, len(entries), _ROWS):
        put = await _store_some(connection, vault, edition, change, entries[at : at + _ROWS])
        added, renewed = added + put.added, renewed + put.renewed
    return Put(added, renewed)


async def _store_some(connection: Connection, vault: Vault, edition: int, change: int, entries: Sequence[Entry]) -> Put:
    rows = {(entry.field, entry.hash): entry for entry in entries}
    values: list[bytes | None] = []
    for number, entry in enumerate(rows.values(), 1):
        values.append(sealed(vault, entry))
        if number % _SLICE == 0:
            await asyncio.sleep(0)
    record = await connection.fetchrow(
        SQL["put"],
        edition,
        change,
        [NUMBERS[field] for field, _ in rows],
        [hash_ for _, hash_ in rows],
        [None if entry.expires_at is None else int(entry.expires_at.timestamp()) for entry in rows.values()],
        values,
        [entry.reason for entry in rows.values()],
        sorted({entry.value.width for entry in rows.values() if entry.value is not None and entry.value.width}),
    )
    assert record is not None, "the list is held, so its edition is there"
    if record["entries"] > ENTRIES_MAX:
        raise ListFull
    return Put(record["added"], record["renewed"])


async def entries_of(hasher: Hasher, values: Iterable[tuple[Value, datetime | None, str | None]]) -> list[Entry]:
    """Entries of values, when they expire, and their reasons; others have their turn in between."""
    entries: list[Entry] = []
    for value, expires_at, reason in values:
        entries.append(Entry(value.field, hasher.of(value), value, expires_at, reason))
        if len(entries) % _SLICE == 0:
            await asyncio.sleep(0)
    return entries


async def find_value(database: Database, vault: Vault, field: str, hashes: Sequence[int]) -> Sequence[Found]:
    """What of these hashes stands on which list, and why; expired entries too, until they are swept."""
    return [_found(vault, record) for record in await database.fetch(SQL["found"], NUMBERS[field], hashes)]


async def read_entries(
    database: Database, vault: Vault, name: str, *, field: str | None, after: tuple[str, int] | None, limit: int
) -> Sequence[Found]:
    """A page of a list, in the order of field and hash; those behind an entry, where one is given."""
    fields = sorted(NAMES) if field is None else [NUMBERS[field]]
    from_field, from_hash = (0, 0) if after is None else (NUMBERS[after[0]], after[1])
    records = await database.fetch(SQL["page"], name, fields, from_field, from_hash, limit)
    return [_found(vault, record) for record in records]


def _found(vault: Vault, record: asyncpg.Record) -> Found:
    field = NAMES[record["field"]]
    value = opened(vault, field, record["hash"], record["value"])
    return Found(
        record["name"],
        field,
        record["hash"],
        value,
        record["reason"],
        record["expires_at"],
        record["person"],
        record["at"],
    )
