"""Imports into lists: numbered batches that can be sent again, then parts compiled step by step, then all of it counts.

`merge` puts entries beside those that are there; `replace` fills another edition, which takes the list's place at once
at the end.  One import of a list is under way at a time.  All in the caller's transaction, with the list held.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.database.pool import Connection
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from risk.lists.book import SQL
from risk.lists.compiling import compile_some, tell
from risk.lists.entry import Entry
from risk.lists.keeping import Database, ListRow, store_entries

BATCH_MAX: Final = 5_000
"""Entries of a batch."""
GROUPS_MAX: Final = 500
"""Of entries with everything but their value in common: checking more of them would hold the event loop for long."""
IMPORT_PREFIX: Final = "imp"
IMPORT_ID_PATTERN: Final = r"^imp_[0-9A-HJKMNP-TV-Z]{26}$"
_STEP_S: Final = 0.5
"""So long a step compiles at most: changes of the list wait meanwhile, no longer than their lock's time."""


class Mode(StrEnum):
    """What becomes of what stood on the list before."""

    MERGE = "merge"
    REPLACE = "replace"


class Status(StrEnum):
    """How far an import is."""

    OPEN = "open"
    COMPILING = "compiling"
    DONE = "done"
    ABANDONED = "abandoned"


class Import(NamedTuple):
    """An import; `left` parts are to be compiled, None while batches are coming."""

    id: str
    list: str
    mode: Mode
    status: Status
    edition: int
    batches: int
    added: int
    renewed: int
    change: int
    source: str | None
    reason: str
    at: datetime
    left: int | None


class ImportOpen(Exception):
    """Another import of the list is under way."""

    def __init__(self, import_id: str) -> None:
        super().__init__(import_id)
        self.import_id = import_id


class WrongBatch(Exception):
    """Batches come in their order; `wanted` is the next."""

    def __init__(self, wanted: int) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class WrongStatus(Exception):
    """The import is further than that."""


async def find_import(database: Database, name: str, import_id: str) -> Import | None:
    """None where the list has no such import."""
    record = await database.fetchrow(SQL["import"], import_id, name)
    if record is None:
        return None
    found = Import(*record)
    return found._replace(mode=Mode(found.mode), status=Status(found.status))


async def begin_import(
    connection: Connection, held: ListRow, mode: Mode, *, person: str | None, reason: str, source: str | None = None
) -> Import:
    """A new import, or the one of the same mode and source that is under way.  Raises ImportOpen for another one."""
    open_id = await connection.fetchval(SQL["open_import"], held.name)
    if open_id is not None:
        under_way = await _again(connection, held.name, open_id)
        if source is None or (under_way.mode, under_way.source) != (mode, source):
            raise ImportOpen(open_id)
        return under_way
    change = await connection.fetchval(SQL["new_change"], held.name, person, reason)
    edition = held.edition if mode is Mode.MERGE else await connection.fetchval(SQL["new_edition"])
    import_id = new_id(IMPORT_PREFIX)
    await connection.execute(SQL["new_import"], import_id, held.name, mode, edition, change, source)
    return await _again(connection, held.name, import_id)


async def add_batch(
    connection: Connection, vault: Vault, import_: Import, *, number: int, entries: Sequence[Entry]
) -> Import:
    """Take a batch; one that has arrived before changes nothing.  Raises WrongBatch, WrongStatus, ListFull."""
    if number <= import_.batches:
        return import_
    if import_.status is not Status.OPEN:
        raise WrongStatus
    if number != import_.batches + 1:
        raise WrongBatch(import_.batches + 1)
    put = await store_entries(connection, vault, import_.edition, import_.change, entries)
    await connection.execute(SQL["batch_done"], import_.id, put.added, put.renewed)
    return await _again(connection, import_.list, import_.id)


async def finish_some(connection: Connection, import_: Import) -> Import:
    """Compile for half a second; the import is done where nothing is left.  Raises WrongStatus."""
    if import_.status is Status.DONE:
        return import_
    if import_.status is Status.ABANDONED:
        raise WrongStatus
    until_s = time.monotonic() + _STEP_S
    while compiled := await compile_some(connection, import_.edition):
        if time.monotonic() > until_s:
            break
    await connection.execute(SQL["import_is"], import_.id, Status.COMPILING if compiled else Status.DONE)
    if not compiled and import_.mode is Mode.REPLACE:
        await connection.execute(SQL["take_place"], import_.list, import_.edition)
    if not compiled or import_.mode is Mode.MERGE:
        await tell(connection, import_.edition)
    return await _again(connection, import_.list, import_.id)


async def abandon(connection: Connection, import_: Import) -> Import:
    """Give an import up.  What was merged stays, and counts soon; what was to replace the list is dropped."""
    if import_.status not in {Status.OPEN, Status.COMPILING}:
        raise WrongStatus
    await connection.execute(SQL["import_is"], import_.id, Status.ABANDONED)
    return await _again(connection, import_.list, import_.id)


async def _again(connection: Connection, name: str, import_id: str) -> Import:
    found = await find_import(connection, name, import_id)
    assert found is not None, "it was written in this transaction"
    return found
