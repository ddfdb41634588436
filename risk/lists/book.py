"""The lists in force in this process: sorted hashes in memory, fetched from PostgreSQL piece by piece when they change.

Ten million entries are 80 MB, and 120 MB where they expire (docs/decisions/0027-lists.md).  A payment's value is found
by bisection in its part, one of 4,096, without an object for any entry.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

import asyncpg

from gateway.database.batches import BROKEN
from gateway.database.pool import named_statements
from gateway.kernel.secrets import Vault
from risk.facts import Facts
from risk.lists.entry import EPOCH_S, NAMES, OF_KEYED_HASHES, Hasher, hash_of_hex

SQL: Final = named_statements("risk.lists", "lists.sql")
PARTS: Final = 4_096
PART_SHIFT: Final = 52
"""The first 12 bits of a hash (signed) are its part."""
_IN_PART: Final = (1 << PART_SHIFT) - 1
_NEAR: Final = 64
"""Two and a half standard deviations of where a hash is among the 2,441 that a part of ten million entries has."""
PIECE_BYTES_MAX: Final = 256 * 1024
"""Fetched at once: taking it over holds the event loop for well below a millisecond."""
_ENTRY_BYTES: Final = 12
_CHANGED_AT_ONCE: Final = 512
_AT_ONCE_MAX: Final = 2
"""Statements under way, so that payments find connections."""
_RETRY_S: Final = 0.5

_log: Final = logging.getLogger("mashang.risk.lists")


class Part(NamedTuple):
    """Hashes in order, and when each expires (seconds from EPOCH_S); None where none of them does."""

    hashes: array[int]
    expiries: array[int] | None


class Table(NamedTuple):
    """A list's entries of one field.  A part stands at its number, which is negative for the upper half."""

    parts: Sequence[Part | None]
    widths: tuple[str, ...] = ()

    def holds(self, sought: int, at_s: float) -> bool:
        """Whether this hash stands here and has not expired.  `at_s` counts from EPOCH_S."""
        part = self.parts[sought >> PART_SHIFT]
        if part is None:
            return False
        hashes, expiries = part
        place, end = _place(hashes, sought), len(hashes)
        if place == end or hashes[place] != sought:
            return False
        return expiries is None or expiries[place] > at_s

    @property
    def entries(self) -> int:
        """How many there are, expired ones among them until they are swept."""
        return sum(len(part.hashes) for part in self.parts if part is not None)


def _place(hashes: array[int], sought: int) -> int:
    """Where a hash stands or would stand.

    Hashes are spread evenly, so it is near where its own size says: fewer steps, and far fewer cache lines of a part
    that no payment has asked for just now.  Where it is not, all of them are searched.
    """
    end = len(hashes)
    near = (sought & _IN_PART) * end >> PART_SHIFT
    first, last = max(near - _NEAR, 0), min(near + _NEAR, end)
    place = bisect_left(hashes, sought, first, last)
    return place if first < place < last else bisect_left(hashes, sought)


class ListInForce(NamedTuple):
    """A list's tables by field, as of one revision of its edition."""

    edition: int
    revision: int
    tables: Mapping[str, Table]


class Lists:
    """All lists as they stand at one moment; replaced, never changed."""

    def __init__(self, hasher: Hasher, by_name: Mapping[str, ListInForce]) -> None:
        self._hasher = hasher
        self.by_name = by_name

    def listed(self, list_name: str, field: str, value: str | None, at: datetime) -> bool | None:
        """Whether a payment's value stands on a list at that time; None without a value, or without such a list.

        `value` is hex of the keyed hash for a customer, a device and a payer; `merchant\\nstore` for a store and
        likewise for a terminal; otherwise the value itself.
        """
        in_force = self.by_name.get(list_name)
        if in_force is None or value is None:
            return None
        table = in_force.tables.get(field)
        if table is None:
            return False
        at_s = at.timestamp() - EPOCH_S
        return any(table.holds(sought, at_s) for sought in self._sought(field, (value,), table.widths))

    def values_of_listed(
        self, listed: Sequence[tuple[str, str, str]], facts: Facts, at: datetime, payers: Sequence[str] | None = None
    ) -> dict[str, bool | None]:
        """What each call of `listed` gives for a payment, by its name; `listed` is (name, list, field) of each.

        `payers` are the keyed hashes (hex) of those who have paid for this customer before; None: that was not read.
        """
        at_s = at.timestamp() - EPOCH_S
        found: dict[str, bool | None] = {}
        known: dict[tuple[str, tuple[str, ...]], Sequence[int]] = {}
        for name, list_name, field in listed:
            in_force = self.by_name.get(list_name)
            values = payers if field == "payer" else _values(field, facts)
            if in_force is None or not values:
                found[name] = None
                continue
            found[name] = False
            if (table := in_force.tables.get(field)) is None:
                continue
            what = (field, table.widths)
            if (hashes := known.get(what)) is None:
                hashes = known[what] = self._sought(field, values, table.widths)
            for sought in hashes:
                if table.holds(sought, at_s):
                    found[name] = True
                    break
        return found

    def _sought(self, field: str, values: Sequence[str], widths: tuple[str, ...]) -> Sequence[int]:
        """The hashes of which one has to be found."""
        if field in OF_KEYED_HASHES:
            return [hash_of_hex(value) for value in values]
        if field == "ip":
            return self._hasher.of_address(values[0], widths)
        if field == "card":
            return self._hasher.of_bin(values[0], widths)
        return (self._hasher.of_text(field, values[0]),)


def _values(field: str, facts: Facts) -> tuple[str, ...]:  # noqa: PLR0911  one line for each field
    """What a payment names of a field; nothing where it names none."""
    match field:
        case "customer":
            return () if facts.customer is None else (facts.customer,)
        case "device":
            return () if facts.device is None else (facts.device,)
        case "ip":
            return () if facts.ip is None else (facts.ip,)
        case "card":
            return () if facts.card_bin is None else (facts.card_bin,)
        case "merchant":
            return (facts.merchant_id,)
        case "store":
            return () if facts.store_id is None else (f"{facts.merchant_id}\n{facts.store_id}",)
        case "terminal":
            return () if facts.terminal_id is None else (f"{facts.merchant_id}\n{facts.terminal_id}",)
        case _:
            return () if facts.region is None else (facts.region,)


class ListBook:
    """One per process; `reload` is told of every change of the directory (RevisionWatch).

    It returns at once: what has changed is fetched in the background, each list by itself and in pieces, so that a
    small change does not wait for a large one.  A list that is being fetched stays in force as it was.
    """

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._hasher = Hasher(vault)
        self._asked = 0
        self._following: asyncio.Task[None] | None = None
        self._latest: Mapping[str, asyncpg.Record] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE_MAX)
        self.current = Lists(self._hasher, {})

    async def load(self) -> None:
        """Have every list as it stands now; at the start.  Raises what the database raises."""
        await self._look()
        await asyncio.gather(*self._fetching.values())

    async def reload(self) -> None:
        """Something in the directory has changed."""
        self._asked += 1
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())

    async def aclose(self) -> None:
        """Fetch no more."""
        tasks = [task for task in (self._following, *self._fetching.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        """Look until nothing was asked meanwhile; through any trouble of the database."""
        answered = -1
        while answered != self._asked:
            asked = self._asked
            try:
                await self._look()
                answered = asked
            except (*BROKEN, asyncpg.PostgresError) as error:
                _log.warning("the lists could not be read", extra={"error": type(error).__name__})
                await asyncio.sleep(_RETRY_S)

    async def _look(self) -> None:
        """Begin to fetch what has changed; forget what is gone."""
        self._latest = {row["name"]: row for row in await self._pool.fetch(SQL["in_force"])}
        by_name = self.current.by_name
        if by_name.keys() - self._latest.keys():
            self.current = Lists(self._hasher, {name: by_name[name] for name in by_name if name in self._latest})
        self._fetching = {name: task for name, task in self._fetching.items() if not task.done()}
        for name in self._latest:
            if name not in self._fetching and self._changed(name) is not None:
                self._fetching[name] = asyncio.create_task(self._fetch(name))

    def _changed(self, name: str) -> asyncpg.Record | None:
        """What the database has of a list, where this process has something else."""
        row, known = self._latest.get(name), self.current.by_name.get(name)
        if row is None or (known is not None and (known.edition, known.revision) == (row["edition"], row["revision"])):
            return None
        return row

    async def _fetch(self, name: str) -> None:
        """Fetch a list until it is as the last look has found it."""
        while (row := self._changed(name)) is not None:
            try:
                in_force = await self._fetched(self.current.by_name.get(name), row)
            except (*BROKEN, asyncpg.PostgresError) as error:
                _log.warning("a list could not be read", extra={"error": type(error).__name__, "list": name})
                await asyncio.sleep(_RETRY_S)
                continue
            if in_force is not None and name in self._latest:
                self.current = Lists(self._hasher, {**self.current.by_name, name: in_force})
                _log.info("a list is in force", extra={"list": name, "revision": in_force.revision})
            elif row is self._latest.get(name):
                return  # another edition has taken its place: the next look tells which

    async def _fetched(self, known: ListInForce | None, row: asyncpg.Record) -> ListInForce | None:
        """A list with what is new of it; None where its edition is gone."""
        edition, is_same = row["edition"], known is not None and known.edition == row["edition"]
        since = known.revision if known is not None and is_same else -1
        parts = {field: list(table.parts) for field, table in known.tables.items()} if known and is_same else {}
        after = (0, 0)
        while changed := await self._rows("changed_parts", edition, since, *after, _CHANGED_AT_ONCE):
            for field, piece in _pieces(changed):
                into = parts.setdefault(NAMES[field], [None] * PARTS)
                found = await self._rows("parts", edition, field, piece)
                if len(found) < len(piece):
                    return None
                for part in found:
                    into[part["part"]] = _part(part["hashes"], part["expiries"])
            after = (changed[-1]["field"], changed[-1]["part"])
        tables = {field: Table(each, _widths_of(field, row["widths"])) for field, each in parts.items()}
        return ListInForce(edition, row["revision"], tables)

    async def _rows(self, statement: str, *arguments: object) -> Sequence[asyncpg.Record]:
        async with self._turns:
            rows: Sequence[asyncpg.Record] = await self._pool.fetch(SQL[statement], *arguments)
        return rows


def _pieces(records: Sequence[asyncpg.Record]) -> Iterator[tuple[int, list[int]]]:
    """Fields and numbers of parts that are fetched at once."""
    for field, of_field in groupby(records, key=lambda record: record["field"]):
        piece: list[int] = []
        size = 0
        for record in of_field:
            if piece and size + record["entries"] * _ENTRY_BYTES > PIECE_BYTES_MAX:
                yield field, piece
                piece, size = [], 0
            piece.append(record["part"])
            size += record["entries"] * _ENTRY_BYTES
        yield field, piece


def _part(hashes: bytes, expiries: bytes | None) -> Part | None:
    """From network order to this machine's."""
    if not hashes:
        return None
    return Part(_numbers("q", hashes), None if expiries is None else _numbers("i", expiries))


def _numbers(kind: str, data: bytes) -> array[int]:
    numbers: array[int] = array(kind, data)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _widths_of(field: str, widths: Sequence[str]) -> tuple[str, ...]:
    """Those of ranges, or of BINs."""
    begins = {"ip": "v", "card": "b"}.get(field)
    return () if begins is None else tuple(width for width in widths if width.startswith(begins))


assert (array("q").itemsize, array("i").itemsize) == (8, 4)
