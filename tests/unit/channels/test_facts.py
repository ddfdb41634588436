"""What is told of an account's settings: who it is, which keys it has, and never a key or secret itself."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.kernel.secrets import Vault
from routing.channels.base import Wallet
from routing.channels.facts import (
    identity_of,
    key_facts,
    known_settings,
    methods_of,
    wallets_of,
    wallets_with,
    with_previous_keys,
)
from routing.sale import Method
from tests.unit.channels.vectors import alipay_settings, keys, qra_settings, unionpay_settings, wechat_settings

HASH = Vault(bytes(32)).keyed_hash
ALL: dict[str, dict[str, Any]] = {
    "wechat": wechat_settings() | {"app_secret": "an-app-secret"},
    "alipay": alipay_settings(),
    "unionpay": unionpay_settings(),
    "qra": qra_settings(),
}
DIRECT = frozenset({Wallet.WECHAT, Wallet.ALIPAY, Wallet.UNIONPAY})


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("wechat", {"mchid", "appid"}),
        ("alipay", {"app_id", "seller_id"}),
        ("unionpay", {"mer_id"}),
        ("qra", {"mch_id"}),
        ("card", set()),
    ],
)
def test_an_account_is_who_the_channel_knows_it_as(kind: str, names: set[str]) -> None:
    settings = ALL.get(kind, {})
    assert identity_of(kind, settings) == {name: settings[name] for name in names}


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_of_a_kind_is_known(kind: str) -> None:
    assert set(ALL[kind]) | {"rhythm", "concurrency", "notify_url"} <= known_settings(kind)
    assert not known_settings("card")


@pytest.mark.parametrize("kind", ALL)
def test_no_key_or_secret_is_told_itself(kind: str) -> None:
    told = json.dumps([asdict(fact) for fact in key_facts(kind, ALL[kind], HASH)])
    for name, value in ALL[kind].items():
        for text in value.values() if isinstance(value, dict) else [value]:
            if name.endswith("_pem") or name in {
                "api_v3_key",
                "app_secret",
                "secret_key",
                "platform_public_keys",
                "key",
            }:
                assert text not in told
                assert text.strip().splitlines()[len(text.strip().splitlines()) // 2] not in told


def test_a_private_key_is_told_by_its_public_half_so_that_it_can_be_compared_with_the_channels_page() -> None:
    own = keys("alipay")
    pem = own["app_public_key_pem"]
    der = b"".join(line.encode() for line in pem.strip().splitlines()[1:-1])
    expected = hashlib.sha256(base64.b64decode(der)).hexdigest()
    [fact] = [fact for fact in key_facts("alipay", ALL["alipay"], HASH) if fact.setting == "app_private_key_pem"]
    assert (fact.kind, fact.fingerprint, fact.serial) == ("private_key", expected, None)


def test_a_certificate_is_told_by_its_serial_and_fingerprint() -> None:
    facts = {fact.setting: fact for fact in key_facts("unionpay", ALL["unionpay"], HASH)}
    certificate = x509.load_pem_x509_certificate(keys("unionpay")["merchant_certificate_pem"].encode())
    fact = facts["signing_certificate_pem"]
    assert (fact.kind, fact.serial) == ("certificate", keys("unionpay")["merchant_cert_id"])
    assert fact.fingerprint == certificate.fingerprint(SHA256()).hex()


def test_platform_keys_are_told_under_the_serials_by_which_the_channel_names_them() -> None:
    told = {fact.serial for fact in key_facts("wechat", ALL["wechat"], HASH) if fact.setting == "platform_public_keys"}
    assert told == set(ALL["wechat"]["platform_public_keys"])


def test_a_secret_is_told_by_a_keyed_hash_only() -> None:
    facts = {fact.setting: fact for fact in key_facts("wechat", ALL["wechat"], HASH)}
    secret = ALL["wechat"]["api_v3_key"].encode()
    fact = facts["api_v3_key"]
    assert (fact.kind, fact.fingerprint) == ("secret", HASH(secret).hex())
    assert fact.fingerprint not in {hashlib.sha256(secret).hexdigest(), hashlib.blake2b(secret).hexdigest()}
    assert facts["app_secret"].fingerprint != fact.fingerprint


@pytest.mark.parametrize("garbage", ["-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----\nx", "\ud800", "x"])
def test_a_setting_that_the_account_does_not_use_can_be_anything(garbage: str) -> None:
    facts = {fact.setting: fact for fact in key_facts("unionpay", {"root_certificate_pem": garbage}, HASH)}
    assert facts["root_certificate_pem"].kind == "secret"


def test_while_credentials_overlap_answers_of_the_earlier_platform_keys_are_believed_too() -> None:
    new = wechat_settings() | {"platform_public_keys": {"PUB_KEY_ID_2": "new"}}
    old = wechat_settings() | {"platform_public_keys": {"PUB_KEY_ID_1": "old", "PUB_KEY_ID_2": "stale"}}
    merged = with_previous_keys("wechat", new, old)
    assert merged == new | {"platform_public_keys": {"PUB_KEY_ID_1": "old", "PUB_KEY_ID_2": "new"}}
    assert with_previous_keys("alipay", {"a": 1}, {"a": 2}) == {"a": 1}


@pytest.mark.parametrize("wallet", sorted(DIRECT))
def test_a_direct_channel_takes_its_own_wallet_in_every_way(wallet: Wallet) -> None:
    assert wallets_of(wallet) == {wallet}
    assert methods_of(wallet, wallet) == set(Method)
    assert not methods_of(wallet, Wallet.JD)


@pytest.mark.parametrize("wallet", Wallet)
def test_the_front_takes_every_wallets_bar_code_shows_codes_for_three_and_has_no_pages(wallet: Wallet) -> None:
    shown = {Method.QRCODE} if wallet in DIRECT else set()
    assert methods_of("qra", wallet) == {Method.BARCODE} | shown
    assert wallets_of("qra") == set(Wallet)


def test_a_kind_that_there_is_not_takes_nothing() -> None:
    assert not wallets_of("card")
    assert not methods_of("card", Wallet.WECHAT)


def test_ways_to_pay_are_known_over_all_kinds() -> None:
    assert wallets_with(Method.BARCODE) == set(Wallet)
    assert wallets_with(Method.QRCODE) == wallets_with(Method.PAGE) == DIRECT
