"""Verifies the chain of the audit trail, entry by entry, in batches; reads only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.trail.entry import EMPTY, Head
from gateway.trail.store import SQL, Sealed, sealed_of

BATCH: Final = 2_000
_BEFORE_ALL: Final = -(2**63)
"""Numbers below 1 are none of ours: whoever put them in should not go unseen."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How far the chain holds.  `problem` says what is wrong at `broken_seq`; both are None where all of it holds."""

    count: int
    head: Head
    broken_seq: int | None = None
    problem: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing was changed, put in or taken out."""
        return self.problem is None


async def verify(
    connection: asyncpg.Connection, noted: Head | None = None, done: Callable[[int], None] = lambda _: None
) -> Verified:
    """Walk the whole trail.

    A chain shows what was changed in it or taken out of it.  What was taken off its end, or written anew from some
    entry on, only shows against a head that was `noted` before.  `done` is told how many more were looked at.
    """
    head, missing = EMPTY, noted
    async for sealed in _all(connection):
        entry = sealed.entry
        problem = _problem(sealed, head)
        if problem is not None:
            return Verified(head.seq, head, min(head.seq + 1, entry.seq), problem)
        head = Head(entry.seq, sealed.hash)
        done(1)
        if missing is not None and head.seq == missing.seq:
            if head.hash != missing.hash:
                return Verified(head.seq - 1, head, head.seq, "it is not the entry of the head that was noted")
            missing = None
    if missing is not None and missing != EMPTY:
        return Verified(head.seq, head, head.seq + 1, f"it is missing: the head that was noted is entry {missing.seq}")
    return Verified(head.seq, head)


def _problem(sealed: Sealed, before: Head) -> str | None:
    if sealed.entry.seq != before.seq + 1:
        return f"it is missing: behind entry {before.seq} comes {sealed.entry.seq}"
    if sealed.hash != sealed.entry.hash_after(before.hash):
        return "it was changed: its hash is not that of what it says"
    return None


async def _all(connection: asyncpg.Connection) -> AsyncIterator[Sealed]:
    """Every entry in its order.  (Entries that are added meanwhile are fine: they come behind.)"""
    after = _BEFORE_ALL
    while records := await connection.fetch(SQL["following"], after, BATCH):
        for record in records:
            yield sealed_of(record)
        after = records[-1]["seq"]
