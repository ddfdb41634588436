"""What can stand on a list, and by which bits it is found."""

from __future__ import annotations

import pytest

from gateway.kernel.secrets import Vault
from risk.fields import LISTED_FIELDS
from risk.lists.entry import NUMBERS, Hasher, Value, ValueRefused, value_of

MERCHANT = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"


def test_every_field_that_a_rule_can_ask_for_has_a_number_of_its_own() -> None:
    assert set(NUMBERS) == set(LISTED_FIELDS)
    assert len(set(NUMBERS.values())) == len(NUMBERS)


@pytest.mark.parametrize(
    ("field", "text", "scope", "said"),
    [
        ("customer", "c-42", None, "merchant_id"),
        ("store", "s-1", None, "merchant_id"),
        ("region", "上海", MERCHANT, "takes neither"),
        ("merchant", "mer_1", None, "a merchant's id"),
        ("card", "62220", None, "6 to 8 digits"),
        ("card", "622202123", None, "6 to 8 digits"),
        ("ip", "203.0.113.7/24", None, "host bits"),
        ("ip", "0.0.0.0/0", None, "ranges from /8"),
        ("ip", "::/0", None, "ranges from"),
        ("ip", "fe80::1%eth0", None, "zone"),
        ("ip", "example.com", None, "an address"),
        ("region", "", None, "1 to 128"),
        ("region", "x" * 129, None, "1 to 128"),
        ("region", "a\nb", None, "printable"),
    ],
)
def test_what_cannot_be_listed_is_refused_with_what_it_takes(
    field: str, text: str, scope: str | None, said: str
) -> None:
    with pytest.raises(ValueRefused, match=said):
        value_of(field, text, scope)


def test_an_address_is_written_in_one_way_only() -> None:
    assert value_of("ip", "2001:DB8:0::1", None) == Value("ip", "2001:db8::1", None, "v6/128")
    assert value_of("ip", "::ffff:203.0.113.7", None) == Value("ip", "203.0.113.7", None, "v4/32")
    assert value_of("ip", "::ffff:203.0.113.0/120", None) == Value("ip", "203.0.113.0/24", None, "v4/24")
    assert value_of("ip", "203.0.113.7/32", None) == value_of("ip", "203.0.113.7", None)


def test_hashes_are_of_a_field_a_scope_and_this_installations_key() -> None:
    hasher, other = Hasher(Vault(bytes(32))), Hasher(Vault(b"\x01" * 32))
    values = [
        value_of("store", "1", MERCHANT),
        value_of("terminal", "1", MERCHANT),
        value_of("region", "1", None),
        value_of("customer", "1", "realm-1"),
        value_of("customer", "1", "realm-2"),
        value_of("payer", "1", None),
        value_of("ip", "10.0.0.0/8", None),
        value_of("ip", "10.0.0.0/9", None),
        value_of("card", "622202", None),
    ]
    hashes = [each.of(value) for each in (hasher, other) for value in values]
    assert len(set(hashes)) == 2 * len(values)
    assert all(-(2**63) <= each < 2**63 for each in hashes)
    assert [hasher.of(value) for value in values] == hashes[: len(values)]


def test_a_value_is_held_by_itself_and_by_every_wider_range_or_shorter_bin() -> None:
    hasher = Hasher(Vault(bytes(32)))
    held = set(hasher.holding(value_of("ip", "10.1.2.3", None)))
    assert {hasher.of(value_of("ip", each, None)) for each in ("10.1.2.3", "10.1.2.0/24", "10.0.0.0/8")} <= held
    assert hasher.of(value_of("ip", "10.1.3.0/24", None)) not in held
    cards = hasher.holding(value_of("card", "6222021", None))
    assert set(cards) == {hasher.of(value_of("card", each, None)) for each in ("622202", "6222021")}


def test_a_refusal_does_not_repeat_the_value() -> None:
    for field in ("ip", "card", "merchant"):
        with pytest.raises(ValueRefused) as refused:
            value_of(field, "somebody-in-person", None)
        assert "somebody" not in str(refused.value)
    with pytest.raises(ValueRefused) as refused:
        value_of("ip", "203.0.113.77/24", None)
    assert "77" not in str(refused.value)
