"""An entry's hash covers all that it says; what is told of a change is what differs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.trail.entry import EMPTY, NO_HASH, Deed, Entry, Head, changes, detail_text

DEED = Deed("admin", "li.wei", "10.0.0.7", "channel_account.changed", "wechat_direct", '{"changed":{}}')
ENTRY = Entry(42, datetime(2026, 11, 22, 1, 2, 3, 4_005, tzinfo=UTC), DEED)


def test_the_hash_of_an_entry_stays_what_it_is() -> None:
    """Trails that were written before would no longer verify."""
    assert ENTRY.hash_after(NO_HASH).hex() == "0d223244d49ce53b852569a1eca3daaf762ddbc2384252f12bfa43513a97545c"


@pytest.mark.parametrize(
    "other",
    [
        replace(ENTRY, seq=43),
        replace(ENTRY, at=ENTRY.at + timedelta(microseconds=1)),
        *[replace(ENTRY, deed=replace(DEED, **{name: f"{getattr(DEED, name)} "})) for name in Deed.__slots__],
        replace(ENTRY, deed=replace(DEED, person=None)),
        replace(ENTRY, deed=replace(DEED, person=None, address=None)),
        replace(ENTRY, deed=replace(DEED, action="channel_account.changedwechat", subject="_direct")),
    ],
)
def test_the_hash_covers_every_field(other: Entry) -> None:
    assert other.hash_after(NO_HASH) != ENTRY.hash_after(NO_HASH)


def test_the_hash_covers_the_hash_before_and_not_the_time_zone_in_which_a_time_is_read() -> None:
    assert ENTRY.hash_after(bytes(31) + b"\x01") != ENTRY.hash_after(NO_HASH)
    elsewhere = replace(ENTRY, at=ENTRY.at.astimezone(timezone(timedelta(hours=8))))
    assert elsewhere.hash_after(NO_HASH) == ENTRY.hash_after(NO_HASH)


def test_a_head_is_read_as_it_was_printed() -> None:
    head = Head(42, ENTRY.hash_after(NO_HASH))
    assert Head.of(str(head)) == head
    assert str(EMPTY) == f"0:{'0' * 64}"


@pytest.mark.parametrize(
    "text", ["", "42", "42:", "42:ab", f":{'0' * 64}", f"-1:{'0' * 64}", f"1:{'x' * 64}", "٤:" + "0" * 64]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"head|hexadecimal"):
        Head.of(text)


def test_a_change_tells_the_fields_that_differ() -> None:
    before = {"status": "enabled", "priority": 100, "gone": [1]}
    after = {"status": "draining", "priority": 100, "new": {"a": None}}
    assert changes(before, after) == {
        "changed": {
            "status": {"from": "enabled", "to": "draining"},
            "gone": {"from": [1], "to": None},
            "new": {"from": None, "to": {"a": None}},
        }
    }
    assert changes(before, before) == {"changed": {}}


def test_a_detail_can_be_stored_whatever_it_holds() -> None:
    assert detail_text({"name": "微信 \ud800 \x00 “x”"}) == '{"name":"微信 ? \\u0000 “x”"}'
