"""Entities stand under keyed hashes; a till, a store, a cashier and a code are their merchant's own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from redis.crc import key_slot

from gateway.kernel.secrets import Vault
from risk.facts import CodeType, Facts
from risk.velocity.entities import VALUES, Names, milliseconds
from risk.velocity.spec import DIMENSIONS
from tests.support.velocities import payment

_VAULT = Vault(bytes(32))


def _full(merchant_id: str = "mer_a") -> Facts:
    return payment(
        merchant_id=merchant_id,
        customer="0f" * 16,
        device="1f" * 16,
        ip="203.0.113.7",
        card_bin="62220212",
        store_id="s1",
        terminal_id="t1",
        operator_id="o1",
        code_id="code_1",
        region="310000",
        wallet="wechat",
    )


def test_every_dimension_has_a_value() -> None:
    assert set(VALUES) == set(DIMENSIONS)
    assert all(VALUES[dimension](_full()) for dimension in DIMENSIONS)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_key_shows_nothing_of_the_value_and_lies_in_a_slot_by_its_hash(dimension: str) -> None:
    key = Names(_VAULT, _full()).key((dimension,))
    assert key is not None
    assert re.fullmatch(rf"risk:\{{{dimension}:[0-9a-f]{{24}}\}}", key)
    assert key_slot(key.encode()) == key_slot(key.partition("{")[2].rstrip("}").encode())
    assert key != Names(Vault(b"1" * 32), _full()).key((dimension,))


@pytest.mark.parametrize("dimension", ["store", "terminal", "operator", "code"])
def test_what_a_merchant_names_is_its_own(dimension: str) -> None:
    assert Names(_VAULT, _full()).key((dimension,)) != Names(_VAULT, _full("mer_b")).key((dimension,))


@pytest.mark.parametrize("dimension", ["customer", "device", "ip", "card", "region", "wallet", "code_type"])
def test_what_others_name_too_is_the_same_at_every_merchant(dimension: str) -> None:
    assert Names(_VAULT, _full()).key((dimension,)) == Names(_VAULT, _full("mer_b")).key((dimension,))


def test_the_same_value_in_two_dimensions_is_two_entities() -> None:
    facts = payment(customer="0f" * 16, device="0f" * 16)
    names = Names(_VAULT, facts)
    assert names.of("customer") != names.of("device")


def test_a_pair_is_an_entity_where_both_are_named() -> None:
    names = Names(_VAULT, _full())
    key = names.key(("customer", "merchant"))
    assert key is not None
    assert re.fullmatch(r"risk:\{customer\+merchant:[0-9a-f]{32}\}", key)
    assert key != Names(_VAULT, _full("mer_b")).key(("customer", "merchant"))
    assert Names(_VAULT, payment(customer=None)).key(("customer", "merchant")) is None
    assert Names(_VAULT, payment(ip=None)).key(("customer", "ip")) is None


def test_what_is_not_named_is_nobody() -> None:
    names = Names(_VAULT, payment(customer=None))
    named = {dimension for dimension in DIMENSIONS if names.of(dimension) is not None}
    assert named == {"merchant", "code_type"}
    assert VALUES["code_type"](payment()) == str(CodeType.BARCODE)


def test_text_of_any_kind_can_be_a_name() -> None:
    assert Names(_VAULT, payment(terminal_id="\ud800\n收银")).key(("terminal",)) is not None


def test_a_whole_millisecond_is_itself() -> None:
    day = datetime(2026, 11, 22, tzinfo=UTC)
    first = milliseconds(day)
    assert [milliseconds(day + timedelta(milliseconds=each)) for each in range(10_000)] == [
        first + each for each in range(10_000)
    ]
