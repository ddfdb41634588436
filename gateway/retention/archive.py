"""Writes a month to files: one compressed CSV for each table, and a list of them with their digests."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import asyncpg
import orjson

from gateway.database.partitions import MONTHLY, key_of, month_start
from gateway.kernel.ids import first_ulid_at
from gateway.retention.months import RETIRED, SQL, Obstacle, start_of

LIST: Final = "files.json"
_LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class ArchivedTable:
    """One file: its rows, its size and its SHA-256."""

    file: str
    rows: int
    bytes: int
    sha256: str


def in_the_archive(folder: Path | None, name: str) -> list[Obstacle]:
    """A finished archive of that month, which nothing may overwrite: it is the record, perhaps of another database."""
    is_there = folder is not None and (folder / name / LIST).exists()
    return [Obstacle(f"archives of that month in {folder} already: move it, or name another folder", 1)] * is_there


async def write_month(connection: asyncpg.Connection, name: str, folder: Path) -> dict[str, int]:
    """Write all tables of a month that was cut off to FOLDER/NAME; returns the rows of each.

    What is sealed stays sealed: the archive needs the installation's master key, like the database.
    """
    place = folder / name
    await asyncio.to_thread(place.mkdir, mode=0o700, parents=True, exist_ok=True)
    written = {}
    for table in MONTHLY:
        written[table] = await _write_table(connection, table, name, place)
    document = {table: asdict(file) for table, file in written.items()}
    await asyncio.to_thread(_put, place / LIST, orjson.dumps(document, option=orjson.OPT_INDENT_2))
    for each in (place, folder):
        await asyncio.to_thread(_sync_names, each)
    return {table: file.rows for table, file in written.items()}


async def _write_table(connection: asyncpg.Connection, table: str, name: str, place: Path) -> ArchivedTable:
    """Day by day: a statement that reads a whole month would keep vacuum from every queue for as long."""
    path = place / f"{table}.csv.gz"
    unfinished = path.with_suffix(".part")
    rows = 0
    with await asyncio.to_thread(gzip.open, unfinished, "wb", _LEVEL) as file:

        async def write(data: bytes) -> None:
            await asyncio.to_thread(file.write, data)

        for number, (low, high) in enumerate(_days(start_of(name), MONTHLY[table][0])):
            column = key_of(table)
            status = await connection.copy_from_query(
                SQL["day"].format(where=RETIRED, table=table, month=name, column=column, low=low, high=high),
                output=write,
                format="csv",
                header=number == 0,
            )
            rows += int(status.rpartition(" ")[2])
    digest = await asyncio.to_thread(_keep, unfinished, path)
    return ArchivedTable(path.name, rows, path.stat().st_size, digest)


def _days(start: datetime, prefix: str) -> list[tuple[str, str]]:
    """The bounds of each day's ids, the whole month through."""
    marks = [start]
    while marks[-1] < month_start(start, 1):
        marks.append(marks[-1] + timedelta(days=1))
    ids = [f"{prefix}_{first_ulid_at(mark)}" for mark in marks]
    return list(pairwise(ids))


def _keep(unfinished: Path, path: Path) -> str:
    """Put the file in place once it is on the disk; its digest."""
    with unfinished.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return digest


def _sync_names(folder: Path) -> None:
    """Have the names in a folder on the disk too: the tables are dropped next, and a crash would forget the files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no such call, and need none
            raise
    finally:
        os.close(descriptor)


def _put(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(content)
    _keep(unfinished, path)
