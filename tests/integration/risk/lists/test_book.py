"""What is put on a list is found by every process that has heard of it, of every field, until it expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
import pytest

from risk.facts import CodeType, Facts
from risk.lists.book import ListBook
from tests.support.risk_lists import Desk
from tests.support.waiting import until

NOW = datetime(2026, 11, 22, 6, 0, 0, tzinfo=UTC)
MERCHANT = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
numbers = count(1)


def facts(**named: object) -> Facts:
    plain = {
        "merchant_id": MERCHANT,
        "order_key": "o-1",
        "amount_fen": 100,
        "method": "barcode",
        "code_type": CodeType.BARCODE,
        "at": NOW,
        "timezone": "Asia/Shanghai",
    }
    return Facts(**(plain | named))  # type: ignore[arg-type]


@pytest.fixture
async def name(desk: Desk) -> str:
    made = f"list-{next(numbers)}"
    await desk.make(made)
    return made


async def loaded(desk: Desk) -> ListBook:
    book = ListBook(desk.pool, desk.vault)
    await book.load()
    return book


async def test_the_three_lists_are_there_from_the_start_and_hold_nothing(desk: Desk) -> None:
    book = await loaded(desk)
    for name in ("block", "allow", "watch"):
        assert book.current.listed(name, "region", "上海", NOW) is False
    assert book.current.listed("grey", "region", "上海", NOW) is None


@pytest.mark.parametrize(
    ("entry", "listed", "others"),
    [
        (("merchant", MERCHANT, None), {}, None),
        (("store", "s-1", MERCHANT), {"store_id": "s-1"}, {"store_id": "s-2"}),
        (("terminal", "t-1", MERCHANT), {"terminal_id": "t-1"}, {"terminal_id": "s-1"}),
        (("region", "上海", None), {"region": "上海"}, {"region": "北京"}),
        (("card", "622202", None), {"card_bin": "62220212"}, {"card_bin": "622203"}),
        (("card", "62220212", None), {"card_bin": "62220212"}, {"card_bin": "622202"}),
        (("ip", "203.0.113.7", None), {"ip": "203.0.113.7"}, {"ip": "203.0.113.8"}),
        (("ip", "203.0.112.0/22", None), {"ip": "203.0.115.255"}, {"ip": "203.0.116.0"}),
        (("ip", "10.0.0.0/8", None), {"ip": "::ffff:10.9.9.9"}, {"ip": "a00::"}),
        (("ip", "2001:db8::/32", None), {"ip": "2001:db8:1::1"}, {"ip": "2001:db9::1"}),
        (("ip", "2001:db8::1", None), {"ip": "2001:db8:0:0::1"}, {"ip": "2001:db8::2"}),
    ],
)
async def test_a_payment_that_names_it_is_found_and_no_other(
    desk: Desk, name: str, entry: tuple[str, str, str | None], listed: dict[str, str], others: dict[str, str] | None
) -> None:
    field, text, scope = entry
    await desk.put(name, field, text, scope=scope)
    lists = (await loaded(desk)).current
    calls = [("call", name, field)]
    assert lists.values_of_listed(calls, facts(**listed), NOW) == {"call": True}
    if others is not None:
        assert lists.values_of_listed(calls, facts(**others), NOW) == {"call": False}
        assert lists.values_of_listed(calls, facts(), NOW) == {"call": None}
    if scope is not None:
        elsewhere = facts(**{**listed, "merchant_id": MERCHANT[:-1] + "C"})
        assert lists.values_of_listed(calls, elsewhere, NOW) == {"call": False}


@pytest.mark.parametrize("field", ["customer", "device"])
async def test_a_person_is_found_by_the_keyed_hash_that_payments_carry(desk: Desk, name: str, field: str) -> None:
    await desk.put(name, field, "c-42", scope="realm-1")
    lists = (await loaded(desk)).current
    calls = [("call", name, field)]
    known = desk.vault.keyed_hash(b"realm-1\nc-42").hex()
    stranger = desk.vault.keyed_hash(b"realm-2\nc-42").hex()
    assert lists.values_of_listed(calls, facts(**{field: known}), NOW) == {"call": True}
    assert lists.values_of_listed(calls, facts(**{field: stranger}), NOW) == {"call": False}
    assert lists.values_of_listed(calls, facts(), NOW) == {"call": None}
    assert lists.listed(name, field, known, NOW) is True


async def test_a_payer_is_found_among_those_of_the_customer_and_null_where_they_were_not_read(
    desk: Desk, name: str
) -> None:
    await desk.put(name, "payer", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
    lists = (await loaded(desk)).current
    calls = [("call", name, "payer")]
    known = desk.vault.keyed_hash(b"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o").hex()
    other = desk.vault.keyed_hash(b"somebody").hex()
    assert lists.values_of_listed(calls, facts(), NOW, [other, known]) == {"call": True}
    assert lists.values_of_listed(calls, facts(), NOW, [other]) == {"call": False}
    assert lists.values_of_listed(calls, facts(), NOW) == {"call": None}


async def test_an_entry_counts_until_the_second_of_its_expiry(desk: Desk, name: str) -> None:
    await desk.put(name, "region", "上海", expires_at=NOW)
    await desk.put(name, "region", "北京")
    lists = (await loaded(desk)).current
    assert lists.listed(name, "region", "上海", NOW - timedelta(microseconds=1)) is True
    assert lists.listed(name, "region", "上海", NOW) is False
    assert lists.listed(name, "region", "北京", NOW + timedelta(days=9_000)) is True


async def test_what_is_no_address_stands_on_no_list(desk: Desk, name: str) -> None:
    await desk.put(name, "ip", "0.0.0.0", "::")
    lists = (await loaded(desk)).current
    assert lists.listed(name, "ip", "fe80::1%eth0", NOW) is False
    assert lists.listed(name, "ip", "nonsense", NOW) is False
    assert lists.listed(name, "ip", "0.0.0.0", NOW) is True


async def test_a_reload_returns_at_once_and_brings_what_was_put_removed_and_renewed(desk: Desk, name: str) -> None:
    book = await loaded(desk)
    await desk.put(name, "region", "上海", "北京")
    await book.reload()
    assert book.current.listed(name, "region", "上海", NOW) is False, "it is fetched in the background"
    await until(lambda: book.current.listed(name, "region", "上海", NOW))
    assert await desk.remove(name, "region", "上海") == 1
    await desk.put(name, "region", "北京", expires_at=NOW)
    await book.reload()
    await until(lambda: not book.current.listed(name, "region", "北京", NOW))
    assert book.current.listed(name, "region", "上海", NOW) is False


async def test_a_list_that_is_gone_says_nothing_any_more(desk: Desk, name: str, pool: asyncpg.Pool) -> None:
    await desk.put(name, "region", "上海")
    book = await loaded(desk)
    await pool.execute("DELETE FROM risk_lists WHERE name = $1", name)
    await book.reload()
    await until(lambda: book.current.listed(name, "region", "上海", NOW) is None)


async def test_a_long_list_is_fetched_in_pieces_and_each_of_its_entries_is_found(desk: Desk, name: str) -> None:
    known = [f"region {number}" for number in range(20_000)]
    for at in range(0, len(known), 5_000):
        await desk.put(name, "region", *known[at : at + 5_000])
    lists = (await loaded(desk)).current
    assert lists.by_name[name].tables["region"].entries == len(known)
    assert all(lists.listed(name, "region", each, NOW) for each in known)
    assert not any(lists.listed(name, "region", f"{each}x", NOW) for each in known)


async def test_a_book_follows_through_trouble_with_the_database(desk: Desk, name: str) -> None:
    book = await loaded(desk)
    await desk.put(name, "region", "上海")
    killed = 0
    async with desk.pool.acquire() as connection:
        await book.reload()
        killed = await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    assert killed
    await until(lambda: book.current.listed(name, "region", "上海", NOW))
