"""Who put what on a list, when and why; persons' values are sealed; the bounds hold."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from gateway.kernel.secrets import Vault
from risk.lists import keeping
from risk.lists.book import ListBook
from risk.lists.entry import Entry, Value, hash_of_hex, value_of
from risk.lists.keeping import ListFull, Put, find_value, hold_all, put_entries, read_entries
from tests.support.risk_lists import Desk
from tests.support.waiting import eventually

UNTIL = datetime(2027, 1, 1, tzinfo=UTC)


async def test_an_entry_tells_who_put_it_there_when_and_why(desk: Desk, pool: asyncpg.Pool) -> None:
    assert await desk.put("block", "customer", "c-42", scope="realm-1", expires_at=UNTIL) == Put(1, 0)
    assert await desk.put("watch", "customer", "c-42", scope="realm-1") == Put(1, 0)
    assert await desk.put("watch", "customer", "c-42", scope="realm-1") == Put(0, 1)
    value = value_of("customer", "c-42", "realm-1")
    found = await find_value(pool, desk.vault, "customer", desk.hasher.holding(value))
    assert [(each.list, each.value, each.reason, each.person, each.expires_at) for each in found] == [
        ("block", value, "seen in a test", "li.wei", UNTIL),
        ("watch", value, "seen in a test", "li.wei", None),
    ]
    assert found[0].at <= found[1].at


async def test_ranges_and_bins_that_hold_a_value_are_found_with_it(desk: Desk, pool: asyncpg.Pool) -> None:
    await desk.put("block", "ip", "203.0.113.7", "203.0.113.0/24", "203.0.0.0/16", "203.0.113.0/28", "203.0.113.128/25")
    await desk.put("block", "card", "622202", "62220299", "622203")
    address = desk.hasher.holding(value_of("ip", "203.0.113.7", None))
    found = {each.value.text for each in await find_value(pool, desk.vault, "ip", address) if each.value}
    assert found == {"203.0.113.7", "203.0.113.0/24", "203.0.0.0/16", "203.0.113.0/28"}
    range_ = desk.hasher.holding(value_of("ip", "203.0.113.0/24", None))
    found = {each.value.text for each in await find_value(pool, desk.vault, "ip", range_) if each.value}
    assert found == {"203.0.113.0/24", "203.0.0.0/16"}
    card = desk.hasher.holding(value_of("card", "62220212", None))
    assert [each.value for each in await find_value(pool, desk.vault, "card", card)] == [Value("card", "622202")]


async def test_values_of_persons_are_sealed_and_open_nowhere_else(desk: Desk, pool: asyncpg.Pool) -> None:
    await desk.put("allow", "device", "d-secret", scope="realm-1")
    await desk.put("allow", "region", "上海")
    await desk.put("allow", "card", "621483")
    stored = {row["field"]: row for row in await pool.fetch("SELECT * FROM risk_list_entries WHERE edition = 1")}
    assert b"d-secret" not in stored[2]["value"]
    assert b"621483" not in stored[4]["value"]
    assert "上海".encode() in stored[8]["value"]
    await pool.execute("UPDATE risk_list_entries SET hash = hash + 1 WHERE field = 2 AND edition = 1")
    [moved] = await read_entries(pool, desk.vault, "allow", field="device", after=None, limit=5)
    assert moved.value is None
    [foreign] = await read_entries(pool, Vault(bytes(32)), "allow", field="device", after=None, limit=5)
    assert foreign.value is None


async def test_a_customer_of_whom_only_the_hash_is_known_can_be_listed(desk: Desk, pool: asyncpg.Pool) -> None:
    keyed = desk.vault.keyed_hash(b"realm-1\nc-77").hex()
    entry = Entry("customer", hash_of_hex(keyed), reason="fraud in case cas_1")
    async with pool.acquire() as connection, connection.transaction():
        held = await desk.held(connection, "watch")
        await put_entries(connection, desk.vault, held, [entry], person=None, reason="cases")
    book = ListBook(pool, desk.vault)
    await book.load()
    assert book.current.listed("watch", "customer", keyed, UNTIL) is True
    [found] = await find_value(pool, desk.vault, "customer", [entry.hash])
    assert (found.value, found.reason, found.person) == (None, "fraud in case cas_1", None)
    await desk.put("watch", "customer", "c-77", scope="realm-1")
    [found] = await find_value(pool, desk.vault, "customer", [entry.hash])
    assert found.value == Value("customer", "c-77", "realm-1")


async def test_a_page_goes_on_behind_the_last_entry_of_the_one_before(desk: Desk, pool: asyncpg.Pool) -> None:
    await desk.make("pages")
    await desk.put("pages", "region", *(f"region {number}" for number in range(25)))
    await desk.put("pages", "card", "622202", "622203")
    seen: list[str] = []
    after: tuple[str, int] | None = None
    while page := await read_entries(pool, desk.vault, "pages", field=None, after=after, limit=10):
        seen += [each.value.text for each in page if each.value]
        after = (page[-1].field, page[-1].hash)
    assert sorted(seen) == sorted([*(f"region {number}" for number in range(25)), "622202", "622203"])
    assert len(await read_entries(pool, desk.vault, "pages", field="card", after=None, limit=10)) == 2


async def test_two_who_change_one_list_at_once_both_find_their_entries_in_force(desk: Desk, pool: asyncpg.Pool) -> None:
    await desk.make("race")
    hashes = [Entry("region", number) for number in range(40)]  # all of one part

    async def put(entry: Entry) -> None:
        async with pool.acquire() as connection, connection.transaction():
            held = await desk.held(connection, "race")
            await put_entries(connection, desk.vault, held, [entry], person=None, reason="race")

    await asyncio.gather(*(put(entry) for entry in hashes))
    book = ListBook(pool, desk.vault)
    await book.load()
    table = book.current.by_name["race"].tables["region"]
    assert [table.holds(entry.hash, 0.0) for entry in hashes] == [True] * 40
    assert not table.holds(40, 0.0)


async def test_whoever_changes_several_lists_holds_all_of_them_first_and_nobody_waits_for_ever(
    desk: Desk, pool: asyncpg.Pool
) -> None:
    for name in ("both-a", "both-b"):
        await desk.make(name)
    both_held = asyncio.Event()

    async def other_waits() -> bool:
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(await pool.fetchval(statement))

    async def put_on_both() -> None:
        async with pool.acquire() as connection, connection.transaction():
            held = await hold_all(connection, ["both-b", "both-a"])
            both_held.set()
            await eventually(other_waits)
            for name in ("both-a", "both-b"):
                await put_entries(connection, desk.vault, held[name], [Entry("region", 1)], person=None, reason="both")

    async def put_on_one() -> None:
        await both_held.wait()
        await desk.put("both-b", "region", "上海")

    await asyncio.gather(put_on_both(), put_on_one())
    assert [row.entries for name in ("both-a", "both-b") for row in await keeping.read_lists(pool, name)] == [1, 2]


async def test_a_list_takes_no_more_than_its_bound(
    desk: Desk, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.make("full")
    monkeypatch.setattr(keeping, "ENTRIES_MAX", 3)
    await desk.put("full", "region", "a", "b", "c")
    with pytest.raises(ListFull):
        await desk.put("full", "region", "d")
    assert await desk.put("full", "region", "c") == Put(0, 1)
    [row] = await keeping.read_lists(pool, "full")
    assert row.entries == 3


@pytest.mark.parametrize("field", ["customer", "ip", "card", "merchant", "store", "terminal", "region", "payer"])
async def test_what_was_put_can_be_removed(desk: Desk, field: str) -> None:
    text = {"ip": "198.51.100.0/24", "card": "62220213", "merchant": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"}.get(field, "x")
    scope = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB" if field in {"customer", "store", "terminal"} else None
    assert await desk.remove("block", field, text, scope=scope) == 0
    await desk.put("block", field, text, scope=scope)
    assert await desk.remove("block", field, text, scope=scope) == 1
    assert await desk.remove("block", field, text, scope=scope) == 0
