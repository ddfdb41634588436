"""An entry of the audit trail, and its hash: over the hash of the entry before it and everything that it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import asyncpg
import orjson

NO_HASH: Final = bytes(32)
"""What stands before the first entry."""
HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did.

    `actor` is what let them in (the admin token), `person` who they say they are, `address` where they came from;
    `action` is the route's name, `subject` the id of what it was done to, `detail` JSON.  Never secrets, and nothing
    personal of customers.
    """

    actor: str
    person: str | None
    address: str | None
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A deed with its number (1, 2, 3 …) and the database's time."""

    seq: int
    at: datetime
    deed: Deed

    def hash_after(self, previous: bytes) -> bytes:
        """SHA-256 over the hash before it and the entry as one JSON array; its detail is the text that is stored."""
        deed = self.deed
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        said = [self.seq, at, deed.actor, deed.person, deed.address, deed.action, deed.subject, deed.detail]
        return sha256(previous + orjson.dumps(said)).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the trail: the number of the last entry and its hash.  Whoever keeps it can tell what came off."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"

    @classmethod
    def of(cls, text: str) -> Head:
        """As it was printed.  Raises ValueError."""
        seq, _, hexed = text.partition(":")
        if not (seq.isascii() and seq.isdigit()) or len(hexed) != 2 * HASH_BYTES:
            raise ValueError(f"a head is SEQ:HASH as `mashang audit --trail` prints it, not {text[:80]}")
        return cls(int(seq), bytes.fromhex(hexed))


EMPTY: Final = Head(0, NO_HASH)
"""The head of a trail without entries."""


def entry_of(record: asyncpg.Record) -> Entry:
    """A row of `audit_trail` as a value."""
    return Entry(record["seq"], record["at"], Deed(*[record[name] for name in Deed.__slots__]))


def detail_text(detail: Mapping[str, Any]) -> str:
    """A detail as it is stored.  What no text can hold (half a surrogate pair) becomes a question mark."""
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that differ, as `{"changed": {field: {"from": …, "to": …}}}`."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {"changed": {name: {"from": before.get(name), "to": after.get(name)} for name in names}}
