"""Sealed bytes open with the same key, in the same place, unchanged; and not otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.secrets import SealBroken, Vault, secret_hash

VAULT = Vault(bytes(32))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_is_sealed_opens_in_its_place(plain: bytes, place: bytes) -> None:
    assert VAULT.open(VAULT.seal(plain, place), place) == plain


@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=20))
def test_sealed_bytes_do_not_open_in_another_place(plain: bytes, place: bytes, other: bytes) -> None:
    sealed = VAULT.seal(plain, place)
    if place != other:
        with pytest.raises(SealBroken):
            VAULT.open(sealed, other)


@given(st.binary(max_size=60), st.data())
def test_one_changed_bit_anywhere_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(plain, b"place"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        VAULT.open(bytes(sealed), b"place")


@given(st.integers(0, 40))
def test_bytes_cut_short_are_refused(length: int) -> None:
    sealed = VAULT.seal(b"a secret of some length", b"place")
    with pytest.raises(SealBroken):
        VAULT.open(sealed[:length], b"place")


def test_another_master_key_opens_nothing() -> None:
    with pytest.raises(SealBroken):
        Vault(b"\1" * 32).open(VAULT.seal(b"secret", b"place"), b"place")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert VAULT.seal(b"secret", b"place") != VAULT.seal(b"secret", b"place")


def test_what_is_sealed_does_not_show_in_the_bytes() -> None:
    assert b"a secret" not in VAULT.seal(b"this is a secret", b"place")


def test_keyed_hashes_are_the_same_for_the_same_value_and_key_only() -> None:
    assert VAULT.keyed_hash(b"134567890123456789") == Vault(bytes(32)).keyed_hash(b"134567890123456789")
    assert VAULT.keyed_hash(b"134567890123456789") != VAULT.keyed_hash(b"134567890123456788")
    assert VAULT.keyed_hash(b"134567890123456789") != Vault(b"\1" * 32).keyed_hash(b"134567890123456789")
    assert len(VAULT.keyed_hash(b"")) == 16


def test_the_hash_of_a_name_is_its_keyed_hash_remembered_or_forgotten() -> None:
    vault, names = Vault(bytes(32)), [f"customer {number}".encode() for number in range(5_000)]
    hashes = [vault.name_hash(name) for name in names]
    assert hashes == [VAULT.keyed_hash(name) for name in names]
    assert [vault.name_hash(name) for name in names] == hashes
    assert len(vault._names) <= 4_096


def test_the_hash_of_an_api_key_is_sha_256_of_its_text() -> None:
    assert secret_hash("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
