"""What was changed in the trail, put into it or taken out of it is found, and at which entry first."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.trail import chain
from gateway.trail.chain import verify
from gateway.trail.entry import EMPTY, Deed, Head, entry_of
from gateway.trail.store import SQL, append

ENTRIES = 7


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches in a short trail."""
    monkeypatch.setattr(chain, "BATCH", 3)


async def fill(connection: asyncpg.Connection) -> Head:
    """Seven entries; the head."""
    for number in range(ENTRIES):
        async with connection.transaction():
            person = None if number % 2 else "li.wei"
            await append(connection, Deed("admin", person, "10.0.0.7", "key.created", f"key_{number}", '{"a": [1, 2]}'))
    verified = await verify(connection)
    assert (verified.holds, verified.count, verified.broken_seq) == (True, ENTRIES, None)
    return verified.head


async def test_an_empty_trail_holds(connection: asyncpg.Connection) -> None:
    verified = await verify(connection, EMPTY)
    assert (verified.holds, verified.count, verified.head) == (True, 0, EMPTY)


@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'",
        "actor = 'root'",
        "person = 'wang.fang'",
        "person = NULL",
        "address = '10.0.0.8'",
        "action = 'key.revoked'",
        "subject = 'key_9'",
        """detail = '{"a": [1, 3]}'""",
        """detail = '{"a": [1,2]}'""",
        "hash = sha256('another')",
    ],
)
async def test_a_changed_entry_is_found(connection: asyncpg.Connection, change: str) -> None:
    await fill(connection)
    await connection.execute(f"UPDATE audit_trail SET {change} WHERE seq = 5")
    verified = await verify(connection)
    assert (verified.broken_seq, verified.count) == (5, 4)
    assert verified.problem is not None
    assert "was changed" in verified.problem


@pytest.mark.parametrize("gone", ["1", "4", "4, 5", "6"])
async def test_an_entry_that_was_taken_out_is_found(connection: asyncpg.Connection, gone: str) -> None:
    await fill(connection)
    await connection.execute(f"DELETE FROM audit_trail WHERE seq IN ({gone})")
    verified = await verify(connection)
    assert verified.broken_seq == int(gone[0])
    assert verified.problem is not None
    assert "is missing" in verified.problem


@pytest.mark.parametrize("seq", [0, -1, ENTRIES + 1, ENTRIES + 2])
async def test_an_entry_that_was_put_in_is_found(connection: asyncpg.Connection, seq: int) -> None:
    await fill(connection)
    await connection.execute(
        "INSERT INTO audit_trail SELECT $1, at, actor, person, address, action, subject, detail, hash"
        " FROM audit_trail WHERE seq = 7",
        seq,
    )
    verified = await verify(connection)
    assert verified.broken_seq == min(seq, ENTRIES + 1)


async def test_entries_in_another_order_are_found(connection: asyncpg.Connection) -> None:
    await fill(connection)
    for old, new in ((3, 103), (4, 3), (103, 4)):
        await connection.execute("UPDATE audit_trail SET seq = $2 WHERE seq = $1", old, new)
    assert (await verify(connection)).broken_seq == 3


async def test_what_came_off_the_end_shows_against_a_head_that_was_noted(connection: asyncpg.Connection) -> None:
    head = await fill(connection)
    assert (await verify(connection, head)).holds
    await connection.execute("DELETE FROM audit_trail WHERE seq > 5")
    assert (await verify(connection)).holds
    verified = await verify(connection, head)
    assert verified.broken_seq == 6
    assert verified.problem == "it is missing: the head that was noted is entry 7"


async def test_a_trail_that_was_written_anew_shows_against_a_head_that_was_noted(
    connection: asyncpg.Connection,
) -> None:
    """Whoever can write the table can compute the hashes too."""
    head = await fill(connection)
    await connection.execute("UPDATE audit_trail SET person = 'wang.fang' WHERE seq = 2")
    previous = b""
    for record in await connection.fetch(SQL["following"], 0, 100):
        previous = entry_of(record).hash_after(previous or bytes(32))
        await connection.execute("UPDATE audit_trail SET hash = $2 WHERE seq = $1", record["seq"], previous)
    assert (await verify(connection)).holds
    verified = await verify(connection, head)
    assert verified.broken_seq == head.seq
    assert verified.problem == "it is not the entry of the head that was noted"


async def test_what_came_after_the_head_that_was_noted_is_no_mismatch(connection: asyncpg.Connection) -> None:
    head = await fill(connection)
    async with connection.transaction():
        await append(connection, Deed("admin", None, None, "key.created", "key_8", "{}"))
    verified = await verify(connection, head)
    assert (verified.holds, verified.count) == (True, ENTRIES + 1)


async def test_progress_tells_of_every_entry(connection: asyncpg.Connection) -> None:
    await fill(connection)
    told: list[int] = []
    await verify(connection, done=told.append)
    assert sum(told) == ENTRIES
