"""Provisioning: keys are made once, stay private, and both sides get halves that fit."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from routing.simulators.provision import provision

HERE = {"wechat": "http://127.0.0.1:1", "alipay": "http://127.0.0.1:2", "unionpay": "http://127.0.0.1:3"}
THERE = {name: f"{url}0/" for name, url in HERE.items()}


def test_keys_stay_and_addresses_move(tmp_path: Path) -> None:
    first, second = provision(tmp_path / "keys", HERE), provision(tmp_path / "keys", THERE)
    before = {seed.id: seed.settings for seed in first.accounts}
    after = {seed.id: seed.settings for seed in second.accounts}
    assert list(before) == ["wechat_direct", "alipay_direct", "unionpay_direct", "unionpay_keyed"]
    for seed in first.accounts:
        moved = {
            name: value.replace(HERE[seed.channel], THERE[seed.channel].rstrip("/")) if name.endswith("_url") else value
            for name, value in before[seed.id].items()
        }
        assert after[seed.id] == moved
    assert after["wechat_direct"]["oauth_url"] == "http://127.0.0.1:10/connect/oauth2/authorize"
    assert after["alipay_direct"]["gateway_url"] == "http://127.0.0.1:20/gateway.do"
    assert after["unionpay_keyed"]["query_trans_url"] == "http://127.0.0.1:30/gateway/api/queryTrans.do"
    json.dumps(before)


def test_a_folder_of_an_earlier_version_gets_what_it_lacks_and_keeps_what_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = provision(folder, HERE)
    old = {}
    for name, path in made.simulators.items():
        config = json.loads(path.read_text("utf-8"))
        old[name] = {key: value for key, value in config.items() if key != "app_secret" and not key.startswith("next_")}
        path.write_text(json.dumps(old[name]), "utf-8")
    completed = provision(folder, HERE)
    for name, path in completed.simulators.items():
        config = json.loads(path.read_text("utf-8"))
        assert old[name].items() <= config.items()
        assert any(key.startswith("next_") for key in config)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert completed.accounts[0].settings["app_secret"] != made.accounts[0].settings["app_secret"]
    assert provision(folder, HERE).accounts == completed.accounts


def test_a_rotation_changes_the_keys_and_nothing_else(tmp_path: Path) -> None:
    made = provision(tmp_path / "keys", HERE)
    for before, after in zip(made.accounts, made.rotated, strict=True):
        changed = {name for name in before.settings if before.settings[name] != after.settings[name]}
        assert changed == {
            "wechat_direct": {
                "merchant_serial", "merchant_private_key_pem", "api_v3_key", "platform_public_keys",
            },
            "alipay_direct": {"app_private_key_pem", "alipay_public_key_pem"},
            "unionpay_direct": {"signing_certificate_pem", "signing_private_key_pem"},
            "unionpay_keyed": {"secret_key"},
        }[before.id]  # fmt: skip


def test_everything_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    provision(tmp_path / "keys", HERE)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_the_halves_fit(tmp_path: Path) -> None:
    made = provision(tmp_path / "keys", HERE)
    wechat, alipay, unionpay, keyed = (seed.settings for seed in made.accounts)
    next_wechat, next_alipay, next_unionpay, _ = (seed.settings for seed in made.rotated)
    configs = {name: json.loads(path.read_text("utf-8")) for name, path in made.simulators.items()}

    def public_half(pem: str) -> str:
        key = load_pem_private_key(pem.encode(), None)
        assert isinstance(key, RSAPrivateKey)
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    assert public_half(wechat["merchant_private_key_pem"]) == configs["wechat"]["merchant_public_key_pem"]
    halves = {public_half(configs["wechat"][f"platform_{name}private_key_pem"]) for name in ("", "certificate_")}
    assert set(wechat["platform_public_keys"].values()) == halves
    assert public_half(alipay["app_private_key_pem"]) == configs["alipay"]["app_public_key_pem"]
    assert public_half(configs["alipay"]["alipay_private_key_pem"]) == alipay["alipay_public_key_pem"]
    assert public_half(next_wechat["merchant_private_key_pem"]) == configs["wechat"]["next_merchant_public_key_pem"]
    assert configs["wechat"]["next_platform_public_key_id"] in next_wechat["platform_public_keys"]
    assert public_half(next_alipay["app_private_key_pem"]) == configs["alipay"]["next_app_public_key_pem"]
    assert public_half(configs["alipay"]["next_alipay_private_key_pem"]) == next_alipay["alipay_public_key_pem"]
    certificate = load_pem_x509_certificate(next_unionpay["signing_certificate_pem"].encode())
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert public_half(next_unionpay["signing_private_key_pem"]) == pem
    assert unionpay["mer_id"] != keyed["mer_id"]
    leaf, middle, root = (
        load_pem_x509_certificate(configs["unionpay"][f"{name}_certificate_pem"].encode())
        for name in ("sign", "middle", "root")
    )
    leaf.verify_directly_issued_by(middle)
    middle.verify_directly_issued_by(root)


def test_the_ready_file_has_what_scripts_rely_on(tmp_path: Path) -> None:
    ready = provision(tmp_path / "keys", HERE).ready
    assert ready["wechat"].keys() >= {
        "base_url", "mchid", "appid", "merchant_serial", "merchant_private_key", "api_v3_key",
        "platform_public_key", "platform_public_key_id",
    }  # fmt: skip
    assert ready["alipay"].keys() >= {"base_url", "gateway", "app_id", "app_private_key", "alipay_public_key"}
    assert ready["unionpay"].keys() >= {"base_url", "mer_id"}
    for name, entry in (("wechat", "merchant_private_key"), ("alipay", "app_private_key")):
        assert Path(ready[name][entry]).read_text("utf-8").startswith("-----BEGIN PRIVATE KEY-----")
    assert all(isinstance(value, str) for entries in ready.values() for value in entries.values())


def test_the_front_has_a_key_and_an_account_only_where_its_address_is_named(tmp_path: Path) -> None:
    without = provision(tmp_path / "keys", HERE)
    made = provision(tmp_path / "keys", HERE | {"qra": "http://127.0.0.1:4/"})
    assert {*made.simulators} - {*without.simulators} == {"qra"} == {*made.ready} - {*without.ready}
    assert made.accounts[:4] == without.accounts
    [front], [rotated] = made.accounts[4:], made.rotated[4:]
    config = json.loads(made.simulators["qra"].read_text("utf-8"))
    assert (front.id, front.channel, len(front.wallets)) == ("unionpay_front", "qra", 7)
    assert front.settings == {"base_url": "http://127.0.0.1:4", "mch_id": config["mch_id"], "key": config["key"]}
    assert rotated.settings == front.settings | {"key": config["next_key"]}
    assert made.ready["qra"]["gateway"] == "http://127.0.0.1:4/pay/gateway"
    assert stat.S_IMODE(made.simulators["qra"].stat().st_mode) == 0o600


def test_one_simulator_can_be_provided_alone(tmp_path: Path) -> None:
    made = provision(tmp_path / "keys", {"alipay": "http://127.0.0.1:2"})
    assert [seed.id for seed in made.accounts] == ["alipay_direct"]
    assert {path.name for path in (tmp_path / "keys").iterdir()} >= {"alipay.json"}
    assert not (tmp_path / "keys" / "wechat.json").exists()
